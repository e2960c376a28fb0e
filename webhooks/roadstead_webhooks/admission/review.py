"""AdmissionReview (admission.k8s.io/v1): parsing requests, and serializing answers.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from roadstead.api.object_names import MAX_NAME, MAX_NAMESPACE
from roadstead.api.raw import Metadata, Raw, section
from roadstead.excerpts import printable
from roadstead.tokens.strictjson import loads_object
from roadstead_webhooks.admission.fitting import KINDS, Claimed, find_mismatch, is_reviewed

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"
MAX_OBJECT_BYTES: Final = 768 * 1024
"""As compact JSON; bounds the time to parse and search a review."""
_TOO_LONG: Final = f"is larger than {MAX_OBJECT_BYTES // 1024} KiB"
MAX_BYTES: Final = 2 * MAX_OBJECT_BYTES + 64 * 1024
"""Of a review: the object, the old object, and the request's own fields."""
MAX_NODES: Final = 30_000
"""Commas and opening brackets of a review. A contract with the maximum of reservations has 20,000,
in the old and the new object."""
MAX_SPEC_NODES: Final = 4096
"""Fields and list items of a spec; the largest valid spec has fewer. The API server validates the
schema after the webhook, in time quadratic in the number of errors."""
_BYTES_OF_A_NODE: Final = 32
"""Bytes of text that take as long to process as one more value or key."""
MAX_DEPTH: Final = 64
"""Levels; the deepest of Roadstead's objects, with managed fields, is 15 below the review."""
_MAX_USERNAME: Final = 1024
"""Characters. A ServiceAccount's has at most 339; others have no known limit."""
_HEAD_BYTES: Final = 512
_NAMESPACE_BYTES: Final = 2048
_HEAD: Final = re.compile(
    rb'\{"kind":"AdmissionReview","apiVersion":"admission\.k8s\.io/v1",'
    rb'"request":\{"uid":"([0-9a-f-]{1,64})"'
)
_NAMESPACE: Final = re.compile(rb',"namespace":"([a-z0-9-]{1,63})","operation":"')
"""Quotes in a caller's text are escaped, so no name can contain this."""
_NAMESPACED: Final = b'"resource":"modelserves"'
_UNKNOWN: Final = "?"
"""In place of a namespace that a long name precedes; such a name is invalid."""


class Operation(enum.StrEnum):
    """The operation of a request."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


class BadReview(Exception):
    """The body is not a review that can be answered; `status` is the HTTP status."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdmissionRequest:
    """One request; `object` and `old` are empty if the operation has none.

    `kind` is derived from `resource`, not from the object. `name` is empty if the API server has
    yet to generate it.
    """

    uid: str
    operation: Operation
    kind: str
    subresource: str
    namespace: str
    name: str
    username: str
    dry_run: bool
    object: Raw = dataclasses.field(repr=False)
    old: Raw = dataclasses.field(repr=False)
    effort: int = 0
    """The effort of parsing and searching the request, as `effort` returns it."""
    mismatch: str = ""
    """The first inconsistency within the request, which is then denied."""
    reviewed: bool = True
    """Whether the webhook configurations send such requests to the webhooks."""

    @property
    def fits(self) -> bool:
        """Whether the API server may have sent the request; others are not recorded."""
        return self.reviewed and not self.mismatch

    @property
    def meta(self) -> Metadata:
        """The metadata of the object, or of the old object if it is being deleted."""
        return Metadata.parse(self.object or self.old)

    @property
    def spec(self) -> Raw:
        """The object's spec; empty if it is missing or, before schema validation, not a map."""
        return section(self.object, "spec")

    @property
    def annotations(self) -> Raw:
        """The object's annotations."""
        return section(self.object, "metadata", "annotations")

    @property
    def old_annotations(self) -> Raw:
        """The old object's annotations."""
        return section(self.old, "metadata", "annotations")

    @property
    def generate_name(self) -> str:
        """`metadata.generateName`, truncated to the length of a name."""
        return printable(_generate_name(self.object)[:MAX_NAME])

    @property
    def title(self) -> str:
        """Kind and name for messages, such as `ModelServe demo/gemma`."""
        name = self.name or f"{self.generate_name}?"
        return f"{self.kind} {self.namespace}/{name}" if self.namespace else f"{self.kind} {name}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdmissionAnswer:
    """The answer to a request; `reason` is Roadstead's, in CamelCase, also for metrics."""

    allowed: bool
    reason: str
    message: str = ""
    code: int = 403
    warnings: tuple[str, ...] = ()
    subject: str = ""
    """The subject of the token or the receipt; empty if unknown."""
    patch: Sequence[Raw] = dataclasses.field(default=(), repr=False)
    """JSON patch operations (RFC 6902)."""


def parse(body: bytes) -> AdmissionRequest:
    """Parse a request from a body. Raises BadReview if it is not a valid review."""
    if not body:
        raise BadReview("the body is empty")
    _check_size(body)
    try:
        review = loads_object(body, max_depth=MAX_DEPTH)
    except ValueError as error:
        raise BadReview(f"the body {error}") from None
    if review.get("kind") != KIND or review.get("apiVersion") != API_VERSION:
        raise BadReview(f"the body is not an {KIND} of {API_VERSION}")
    request = review.get("request")
    if not isinstance(request, dict):
        raise BadReview("request is missing")
    parsed = _request(request)
    _check_object(parsed.object, len(body))
    _check_spec(parsed.object)
    return dataclasses.replace(parsed, effort=effort(body))


def effort(body: bytes) -> int:
    """Estimate the effort of parsing and searching a review, in bytes of long texts."""
    return len(body) + _BYTES_OF_A_NODE * min(MAX_NODES, _nodes(body))


def _nodes(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def claimed_uid(head: bytes) -> str:
    """Return the uid of a review that is too large to parse; empty if it doesn't begin with one.

    The API server writes the uid before anything that a caller sent.
    """
    match = _HEAD.match(head[:_HEAD_BYTES])
    return match[1].decode("ascii") if match else ""


def claimed_namespace(head: bytes) -> str:
    """Return the namespace of a review that is not parsed yet; empty for kinds without one.

    The API server writes it after the object's name and before anything else of a caller.
    """
    if match := _NAMESPACE.search(head, 0, _NAMESPACE_BYTES):
        return match[1].decode("ascii")
    return _UNKNOWN if _NAMESPACED in head[:_HEAD_BYTES] else ""


def _check_size(body: bytes) -> None:
    """Raise BadReview if a body is too large to parse."""
    if len(body) > MAX_BYTES:
        raise _too_large(_TOO_LONG)
    if _nodes(body) > MAX_NODES:
        raise _too_large(
            f"has more than {MAX_NODES} fields and list items, together with its stored version"
        )


def _check_spec(raw: Raw) -> None:
    if _nodes_in(raw.get("spec")) > MAX_SPEC_NODES:
        raise _too_large(f"has more than {MAX_SPEC_NODES} fields and list items in its spec")


def _nodes_in(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_nodes_in, value.values()))
    return len(value) + sum(map(_nodes_in, value)) if isinstance(value, list) else 0


def _too_large(what: str) -> BadReview:
    return BadReview(
        f"the object {what}: remove what Roadstead does not need, such as annotations of other "
        "programs",
        status=413,
    )


def _request(raw: Mapping[str, Any]) -> AdmissionRequest:
    operation, thing, old = _operation(raw)
    user = raw.get("userInfo")
    claimed = Claimed(
        resource=_pair(raw, "resource", "resource"),
        subresource=_text(raw, "subResource", ""),
        kind=_pair(raw, "kind", "kind"),
        operation=operation,
        namespace=_text(raw, "namespace", ""),
        name=_text(raw, "name", ""),
        username=_text(user, "username") if isinstance(user, dict) else "",
        object=thing,
        old=old,
    )
    return AdmissionRequest(
        uid=_uid(raw),
        operation=operation,
        kind=KINDS.get(claimed.resource[1], ""),
        subresource=claimed.subresource,
        namespace=printable(claimed.namespace[:MAX_NAMESPACE]),
        name=printable(claimed.name[:MAX_NAME]),
        username=printable(claimed.username[:_MAX_USERNAME]),
        dry_run=raw.get("dryRun") is True,
        object=thing,
        old=old,
        mismatch=find_mismatch(claimed),
        reviewed=is_reviewed(claimed),
    )


def _operation(raw: Mapping[str, Any]) -> tuple[Operation, Raw, Raw]:
    """Return the operation, the object and the old object."""
    operation = _text(raw, "operation")
    if operation not in set(Operation):
        raise BadReview(f"request.operation is not one of {', '.join(Operation)}")
    thing, old = _object(raw, "object"), _object(raw, "oldObject")
    if not thing and operation != Operation.DELETE:
        raise BadReview("request.object is missing")
    if not old and operation == Operation.UPDATE:
        raise BadReview("request.oldObject is missing")
    return Operation(operation), thing, old


def _generate_name(raw: Raw) -> str:
    value = section(raw, "metadata").get("generateName")
    return value if isinstance(value, str) else ""


def _pair(raw: Mapping[str, Any], name: str, last: str) -> tuple[str, str]:
    """Return group with version, and the field `last`."""
    value = raw.get(name)
    if not isinstance(value, dict):
        raise BadReview(f"request.{name} is missing")
    return f"{_text(value, 'group', '')}/{_text(value, 'version')}", _text(value, last)


def _uid(raw: Mapping[str, Any]) -> str:
    uid = _text(raw, "uid")
    if not 0 < len(uid) <= 128 or not uid.isprintable():
        raise BadReview("request.uid is not 1 to 128 printable characters")
    return uid


def _text(raw: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = raw.get(name, default)
    if not isinstance(value, str):
        raise BadReview(f"{name} is missing or not text")
    return value


def _object(raw: Mapping[str, Any], name: str) -> Raw:
    value = raw.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        raise BadReview(f"request.{name} is not an object with metadata")
    if not _is_metadata(value["metadata"]):
        raise BadReview(f"request.{name}.metadata has fields of the wrong type")
    return value


def _check_object(thing: Raw, body_size: int) -> None:
    """Raise BadReview if the object is too large, whatever the size of the old object."""
    if body_size <= MAX_OBJECT_BYTES:
        return
    text = json.dumps(thing, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > MAX_OBJECT_BYTES:
        raise _too_large(_TOO_LONG)


def _is_metadata(meta: Mapping[str, Any]) -> bool:
    """Return whether the fields that are read here have the types of Kubernetes' schema."""
    texts = ("name", "namespace", "uid", "generateName", "resourceVersion", "deletionTimestamp")
    if not all(isinstance(meta.get(name) or "", str) for name in texts):
        return False
    maps = [meta.get(name) or {} for name in ("annotations", "labels")]
    if not all(isinstance(each, dict) and _are_texts(each.values()) for each in maps):
        return False
    finalizers, managed = meta.get("finalizers") or [], meta.get("managedFields") or []
    return (
        isinstance(finalizers, list)
        and _are_texts(finalizers)
        and isinstance(managed, list)
        and all(isinstance(entry, dict) for entry in managed)
    )


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def to_review(uid: str, answer: AdmissionAnswer) -> dict[str, Any]:
    """Return the AdmissionReview that answers request `uid`."""
    response: dict[str, Any] = {"uid": uid, "allowed": answer.allowed}
    if not answer.allowed:
        response["status"] = {
            "code": answer.code,
            "reason": _REASONS.get(answer.code, "Forbidden"),
            "message": f"{answer.reason}: {answer.message}",
            **_RETRY.get(answer.code, {}),
        }
    elif answer.patch:
        document = json.dumps(list(answer.patch)).encode()
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(document).decode("ascii")}
    if answer.warnings:
        response["warnings"] = list(answer.warnings)
    audit = {"reason": answer.reason, "subject": answer.subject}
    response["auditAnnotations"] = {key: value for key, value in audit.items() if value}
    return {"apiVersion": API_VERSION, "kind": KIND, "response": response}


_REASONS: Final[Mapping[int, str]] = {
    400: "BadRequest",
    403: "Forbidden",
    404: "NotFound",
    413: "RequestEntityTooLarge",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
_RETRY: Final[Mapping[int, Raw]] = {429: {"details": {"retryAfterSeconds": 1}}}
"""The API server turns it into a Retry-After header, and clients such as kubectl retry."""
