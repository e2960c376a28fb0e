"""Reading the objects of a request, which the schema may not have been held against yet."""

from __future__ import annotations

from typing import Final

from roadstead.api.raw import Raw, section
from roadstead.tokens.receipts import Binding, spec_digest
from roadstead_webhooks.admission.review import AdmissionRequest, Operation

DELETION: Final = "deletion"

_TEXTS: Final = ("modelName", "modelUuid", "contract", "minioEndpoint", "minioBucket", "minioPath")
_MAPS: Final = ("runtimeParams", "resources", "config")


def readable(raw: Raw) -> bool:
    """Whether a ModelServe's spec has the types that `ModelServe.parse` counts on."""
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        return False
    replicas = spec.get("replicas", 1)
    return (
        all(isinstance(spec.get(name, ""), str) for name in _TEXTS)
        and all(isinstance(spec.get(name, {}), dict) for name in _MAPS)
        and type(replicas) is int
        and all(
            isinstance(section(spec, "resources").get(name, {}), dict)
            for name in ("limits", "requests")
        )
    )


def kept_contract(request: AdmissionRequest) -> str:
    """The contract of the old object where the new one names none, as a manifest doesn't.

    Only where nothing else of the spec changes; else it is chosen again.
    """
    spec, old = request.spec, section(request.old, "spec")
    contract = old.get("contract", "")
    if request.operation != Operation.UPDATE or request.kind != "ModelServe":
        return ""
    if "contract" in spec or not isinstance(contract, str):
        return ""
    return contract if same({**spec, "contract": contract}, old) else ""


def equal(request: AdmissionRequest) -> bool:
    """Whether an update leaves the spec as it is, in every way that JSON can tell."""
    update = request.operation == Operation.UPDATE
    return update and same(request.object.get("spec"), request.old.get("spec"))


def unchanged(request: AdmissionRequest) -> bool:
    """Whether it does so once the contract that a manifest leaves out is filled in again."""
    return equal(request) or bool(kept_contract(request))


def same(one: object, other: object) -> bool:
    """Equality of JSON values: unlike in Python, `true`, `1` and `1.0` are three things."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def going(request: AdmissionRequest) -> bool:
    """Whether the object is being deleted: then only its finalizers are of any use."""
    return bool(section(request.old, "metadata").get("deletionTimestamp"))


def key(request: AdmissionRequest) -> str:
    """The ModelServe as reservations name it; empty where it has no name yet."""
    return f"{request.namespace}/{request.name}" if request.name else ""


def binding(request: AdmissionRequest, raw: Raw, *, contract: str = "") -> Binding:
    """What a receipt for `raw` is bound to; `contract` is filled into its spec first."""
    meta, spec = section(raw, "metadata"), section(raw, "spec")
    return Binding(
        kind=request.kind,
        namespace=request.namespace,
        name=meta.get("name") or request.name,
        generate_name=meta.get("generateName") or "",
        uid=meta.get("uid") or section(request.old, "metadata").get("uid") or "",
        spec_digest=spec_digest(request.kind, {**spec, "contract": contract} if contract else spec),
    )


def deletion_binding(request: AdmissionRequest, raw: Raw) -> Binding:
    """What the leave to delete `raw` is bound to: a kind of its own, so no receipt is one."""
    meta = section(raw, "metadata")
    return Binding(
        kind=f"{request.kind}/{DELETION}",
        namespace=request.namespace,
        name=meta.get("name") or request.name,
        uid=meta.get("uid") or "",
        spec_digest="",
    )
