"""Reads the objects of a request, which may not have been validated by the schema yet."""

from __future__ import annotations

from typing import Final

from roadstead.api.group import ANNOTATION_REQUESTED_BY
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Metadata, Raw, section
from roadstead.api.server_ids import given_server_id
from roadstead.tokens.receipts import Binding, spec_digest
from roadstead_webhooks.admission.review import AdmissionRequest, Operation

DELETION: Final = "deletion"


def is_readable(raw: Raw) -> bool:
    """Return whether a ModelServe has a spec, whose fields have the types of its definition."""
    return "spec" in raw and not ModelServe.parse(raw).faults


def kept_contract(request: AdmissionRequest) -> str:
    """Return the old object's contract if the new object has none and is otherwise unchanged.

    If anything else in the spec changes, a contract is chosen again.
    """
    spec, old = request.spec, section(request.old, "spec")
    contract = old.get("contract", "")
    if request.operation != Operation.UPDATE or request.kind != "ModelServe":
        return ""
    if "contract" in spec or not isinstance(contract, str):
        return ""
    return contract if json_equal({**spec, "contract": contract}, old) else ""


def keeps_spec(request: AdmissionRequest) -> bool:
    """Return whether the spec of an update equals the old spec as JSON."""
    update = request.operation == Operation.UPDATE
    return update and json_equal(request.object.get("spec"), request.old.get("spec"))


def is_unchanged(request: AdmissionRequest) -> bool:
    """Return whether the spec equals the old one, with a missing contract filled in."""
    return keeps_spec(request) or bool(kept_contract(request))


def json_equal(one: object, other: object) -> bool:
    """Compare JSON values: unlike in Python, `true`, `1` and `1.0` differ."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(json_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(json_equal, one, other))
    return one == other


def is_being_deleted(request: AdmissionRequest) -> bool:
    """Return whether the object is being deleted, so that only its finalizers matter."""
    return bool(section(request.old, "metadata").get("deletionTimestamp"))


def reservation_key(request: AdmissionRequest) -> str:
    """Return the key of the ModelServe in reservations; empty if it has no name yet."""
    return f"{request.namespace}/{request.name}" if request.name else ""


def binding(
    request: AdmissionRequest,
    raw: Raw,
    *,
    contract: str = "",
    server_id: str = "",
    requested_by: str | None = None,
) -> Binding:
    """Return what a receipt for `raw` is bound to, with these values set in it.

    `requested_by` is the annotation's by default, and empty for an author with a token.
    """
    meta, spec = section(raw, "metadata"), section(raw, "spec")
    return Binding(
        kind=request.kind,
        namespace=request.namespace,
        name=meta.get("name") or request.name,
        generate_name=meta.get("generateName") or "",
        uid=meta.get("uid") or section(request.old, "metadata").get("uid") or "",
        server_id=server_id or own_server_id(request, raw),
        spec_digest=spec_digest(request.kind, {**spec, "contract": contract} if contract else spec),
        requested_by=_requested_by(meta) if requested_by is None else requested_by,
    )


def _requested_by(meta: Raw) -> str:
    return str(section(meta, "annotations").get(ANNOTATION_REQUESTED_BY, ""))


def own_server_id(request: AdmissionRequest, raw: Raw) -> str:
    """Return the server ID in a ModelServe's annotation; empty without one."""
    return given_server_id(Metadata.parse(raw)) if request.kind == "ModelServe" else ""


def deletion_binding(request: AdmissionRequest, raw: Raw) -> Binding:
    """Return what a deletion permit is bound to: its kind differs from that of receipts."""
    meta = section(raw, "metadata")
    return Binding(
        kind=f"{request.kind}/{DELETION}",
        namespace=request.namespace,
        name=meta.get("name") or request.name,
        uid=meta.get("uid") or "",
        spec_digest="",
    )
