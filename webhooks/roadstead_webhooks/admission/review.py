"""AdmissionReview (admission.k8s.io/v1): what the API server asks, and the answer's form.

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
from roadstead.tokens.strictjson import loads_object
from roadstead_webhooks.admission.fitting import KINDS, Claimed, is_reviewed, mismatch
from roadstead_webhooks.admission.request_text import printable

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"
MAX_OBJECT_BYTES: Final = 768 * 1024
"""As compact JSON. What a review is parsed and searched for is bounded by it."""
_TOO_LONG: Final = f"is larger than {MAX_OBJECT_BYTES // 1024} KiB, the most that is admitted"
MAX_BYTES: Final = 2 * MAX_OBJECT_BYTES + 64 * 1024
"""Of a review: the object, the old one, and what is said of the request."""
MAX_NODES: Final = 30_000
"""Of a review: what its commas and opening brackets count to. A contract with all the reservations
that its status can hold has 20,000, old and new."""
MAX_SPEC_NODES: Final = 4096
"""Fields and items in a spec; one that has all that the schemas allow has fewer. The API server
holds it against the schema after the webhook, in time that grows with the square of the faults."""
_BYTES_OF_A_NODE: Final = 32
"""So many bytes of a text take about the time of one more value or key."""
MAX_DEPTH: Final = 64
"""The deepest of our objects, managed fields included, is 15 levels below the review."""
_MAX_USERNAME: Final = 1024
"""Characters. A ServiceAccount's has 339 at most; nobody knows how long others are."""
_HEAD_BYTES: Final = 512
_HEAD: Final = re.compile(
    rb'\{"kind":"AdmissionReview","apiVersion":"admission\.k8s\.io/v1",'
    rb'"request":\{"uid":"([0-9a-f-]{1,64})"'
)


class Operation(enum.StrEnum):
    """What is done to the object."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


class BadReview(Exception):
    """The body is no review that can be answered; `status` is that of HTTP."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdmissionRequest:
    """One request; `object` and `old` are empty where the operation has none.

    `kind` is what `resource` holds (`ModelServe`), whatever the object says of itself. `name` is
    empty where the API server has yet to generate it.
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
    """Of parsing and searching it, as `effort` has it."""
    mismatch: str = ""
    """What disagrees within the request; such a request is denied."""
    reviewed: bool = True
    """Whether the webhook configurations have the API server ask about such a request."""

    @property
    def fits(self) -> bool:
        """Whether it is one that the API server may have sent; nothing else is recorded."""
        return self.reviewed and not self.mismatch

    @property
    def meta(self) -> Metadata:
        """The metadata of the object, or of the old one where it is going."""
        return Metadata.parse(self.object or self.old)

    @property
    def spec(self) -> Raw:
        """The object's spec; empty where it is missing or, before the schema is checked, no map."""
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
        """`metadata.generateName`, cut to the length that a name can have."""
        return printable(_generate_name(self.object)[:MAX_NAME])

    @property
    def title(self) -> str:
        """For people: `ModelServe demo/gemma`."""
        name = self.name or f"{self.generate_name}?"
        return f"{self.kind} {self.namespace}/{name}" if self.namespace else f"{self.kind} {name}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdmissionAnswer:
    """A verdict in the form of the API: `reason` is ours, in CamelCase, and for metrics too."""

    allowed: bool
    reason: str
    message: str = ""
    code: int = 403
    warnings: tuple[str, ...] = ()
    subject: str = ""
    """Who asked, by the token or the receipt; empty if that isn't known."""
    patch: Sequence[Raw] = dataclasses.field(default=(), repr=False)
    """JSON patch operations (RFC 6902)."""


def parse(body: bytes) -> AdmissionRequest:
    """The request in a body of the API server; BadReview for anything else."""
    if not body:
        raise BadReview("the body is empty")
    _check_size(body)
    try:
        review = loads_object(body, max_depth=MAX_DEPTH)
    except ValueError as error:
        raise BadReview(f"the body {error}") from None
    if review.get("kind") != KIND or review.get("apiVersion") != API_VERSION:
        raise BadReview(f"the body is no {KIND} of {API_VERSION}")
    request = review.get("request")
    if not isinstance(request, dict):
        raise BadReview("request is missing")
    parsed = _request(request)
    _check_object(parsed.object, len(body))
    _check_spec(parsed.object)
    return dataclasses.replace(parsed, effort=effort(body))


def effort(body: bytes) -> int:
    """What it takes to parse and search a review, in bytes of long texts."""
    return len(body) + _BYTES_OF_A_NODE * _nodes(body)


def _nodes(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def claimed_uid(head: bytes) -> str:
    """The uid of a review that is too large to be parsed; empty where it doesn't begin with one.

    The API server writes it before all that a caller has sent.
    """
    match = _HEAD.match(head[:_HEAD_BYTES])
    return match[1].decode("ascii") if match else ""


def _check_size(body: bytes) -> None:
    """BadReview for what is too large to be worth parsing."""
    if len(body) > MAX_BYTES:
        raise _too_large(_TOO_LONG)
    if _nodes(body) > MAX_NODES:
        raise _too_large(
            f"has more than {MAX_NODES} fields and items of lists, with what is stored of it"
        )


def _check_spec(raw: Raw) -> None:
    if _nodes_in(raw.get("spec")) > MAX_SPEC_NODES:
        raise _too_large(f"has more than {MAX_SPEC_NODES} fields and items of lists in its spec")


def _nodes_in(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_nodes_in, value.values()))
    return len(value) + sum(map(_nodes_in, value)) if isinstance(value, list) else 0


def _too_large(what: str) -> BadReview:
    return BadReview(
        f"the object {what}: leave out what Roadstead does not need, such as annotations of other "
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
        mismatch=mismatch(claimed),
        reviewed=is_reviewed(claimed),
    )


def _operation(raw: Mapping[str, Any]) -> tuple[Operation, Raw, Raw]:
    """With the objects that it is done with."""
    operation = _text(raw, "operation")
    if operation not in set(Operation):
        raise BadReview(f"request.operation is none of {', '.join(Operation)}")
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
    """Group and version, and what it is called."""
    value = raw.get(name)
    if not isinstance(value, dict):
        raise BadReview(f"request.{name} is missing")
    return f"{_text(value, 'group', '')}/{_text(value, 'version')}", _text(value, last)


def _uid(raw: Mapping[str, Any]) -> str:
    uid = _text(raw, "uid")
    if not 0 < len(uid) <= 128 or not uid.isprintable():
        raise BadReview("request.uid is not of 1 to 128 printable characters")
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
        raise BadReview(f"request.{name} is no object with metadata")
    if not _is_metadata(value["metadata"]):
        raise BadReview(f"request.{name}.metadata is not of the form that Kubernetes knows")
    return value


def _check_object(thing: Raw, body_size: int) -> None:
    """BadReview for an object that is too large; what is stored already may be replaced."""
    if body_size <= MAX_OBJECT_BYTES:
        return
    text = json.dumps(thing, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > MAX_OBJECT_BYTES:
        raise _too_large(_TOO_LONG)


def _is_metadata(meta: Mapping[str, Any]) -> bool:
    """Whether what we read of it has its types, as the API server has made sure."""
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
    """The AdmissionReview that answers request `uid`."""
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
    409: "Conflict",
    413: "RequestEntityTooLarge",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
_RETRY: Final[Mapping[int, Raw]] = {429: {"details": {"retryAfterSeconds": 1}}}
"""The API server makes a Retry-After of it, and clients such as kubectl try again."""
