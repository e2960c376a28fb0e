"""The rules that a ModelServe must meet before its objects are created."""

from __future__ import annotations

import dataclasses

from roadstead.api.llama.llama_flags import server_args
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.quantity import parse_quantity
from roadstead.api.raw import section
from roadstead.errors import InvalidResource
from roadstead.policy.chain import Rule, Violation


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeFacts:
    """A ModelServe and the Models that it names, if the catalogue has them.

    A name that is not in the catalogue is allowed: the Quant service may know the model.
    """

    serve: ModelServe
    model_by_name: Model | None
    """The Model called `spec.modelName`."""
    model_by_uuid: Model | None
    """The Model whose UID is `spec.modelUuid`."""

    @property
    def model(self) -> Model | None:
        """The Model of the server, if the rules are met."""
        return self.model_by_uuid or self.model_by_name


def check_readable(facts: ServeFacts) -> Violation | None:
    """Every field has the type that its definition requires."""
    faults = facts.serve.faults
    return Violation(reason="Unreadable", message="; ".join(faults)) if faults else None


def check_model_named(facts: ServeFacts) -> Violation | None:
    """`modelName` or `modelUuid` is given."""
    if facts.serve.model_name or facts.serve.model_uuid:
        return None
    return Violation(
        reason="ModelNotNamed",
        message="name the model: set spec.modelName to a Model's name, or spec.modelUuid",
        field="spec.modelName",
    )


def check_uuid_known(facts: ServeFacts) -> Violation | None:
    """The Quant service doesn't know UUIDs, so the Model must be in the catalogue."""
    serve, named = facts.serve, facts.model_by_name
    if not serve.model_uuid or facts.model_by_uuid:
        return None
    if named:
        return Violation(
            reason="ModelMismatch",
            message=f"Model {named.meta.name} has the UUID {named.meta.uid}, not "
            f"{serve.model_uuid}; it may have been deleted and created again. Remove "
            "spec.modelUuid, or correct it",
            field="spec.modelUuid",
        )
    return Violation(
        reason="ModelNotFound",
        message=f"no Model has the UUID {serve.model_uuid}; `kubectl get models` lists the Models. "
        "For a model of the Quant service, set spec.modelName instead",
        field="spec.modelUuid",
    )


def check_name_matches_uuid(facts: ServeFacts) -> Violation | None:
    """`modelName` and `modelUuid`, if both are set, are of the same Model."""
    serve, model = facts.serve, facts.model_by_uuid
    if not serve.model_name or not model or model.meta.name == serve.model_name:
        return None
    return Violation(
        reason="ModelMismatch",
        message=f"spec.modelUuid is the UUID of Model {model.meta.name}, but spec.modelName is "
        f"{serve.model_name}; remove one of them, or correct it",
        field="spec.modelUuid",
    )


def check_model_not_deleting(facts: ServeFacts) -> Violation | None:
    """No server starts on a Model that is being deleted."""
    if not facts.model or not facts.model.meta.deleting:
        return None
    return Violation(
        reason="ModelDeleting",
        message=f"Model {facts.model.meta.name} is being deleted",
        field="spec.modelName",
    )


def check_location(facts: ServeFacts) -> Violation | None:
    """`minioEndpoint`, `minioBucket` and `minioPath`, if set, are the Model's.

    They are compared once the Model is stored, since its location is unknown before.
    """
    stored = facts.model.stored_at if facts.model else None
    if stored is None:
        return None
    serve = facts.serve
    pairs = (
        ("minioEndpoint", serve.endpoint, stored.endpoint.rstrip("/")),
        ("minioBucket", serve.bucket, stored.bucket),
        ("minioPath", serve.path, stored.path),
    )
    for field, wanted, actual in pairs:
        if wanted and wanted != actual:
            return Violation(
                reason="LocationMismatch",
                message=f"the model's {field} is {actual}, not {wanted}; "
                "remove the field, or correct it",
                field=f"spec.{field}",
            )
    return None


def check_resources(facts: ServeFacts) -> Violation | None:
    """Every quantity is valid, and no request is above its limit."""
    requests = section(facts.serve.resources, "requests")
    limits = section(facts.serve.resources, "limits")
    try:
        for name, value in limits.items():
            limit = parse_quantity(value, field=f"spec.resources.limits.{name}")
            request = parse_quantity(
                requests.get(name, value), field=f"spec.resources.requests.{name}"
            )
            if request > limit:
                return Violation(
                    reason="InvalidResources",
                    message=f"{name}: the request {requests[name]} is above the limit {value}",
                    field=f"spec.resources.requests.{name}",
                )
        for name, value in requests.items():
            parse_quantity(value, field=f"spec.resources.requests.{name}")
    except InvalidResource as error:
        return Violation(reason="InvalidResources", message=str(error), field=error.field)
    return None


def check_flags(facts: ServeFacts) -> Violation | None:
    """`runtimeParams` become llama-server flags of the allow-list."""
    try:
        server_args(facts.serve.runtime_params, facts.serve.model_name, facts.serve.resources)
    except InvalidResource as error:
        return Violation(reason="InvalidRuntimeParams", message=str(error), field=error.field)
    return None


SPEC_RULES: tuple[Rule[ServeFacts], ...] = (
    check_model_named,
    check_resources,
    check_flags,
)
"""The rules that depend on no other object."""

MODELSERVE_RULES: tuple[Rule[ServeFacts], ...] = (
    check_readable,
    check_model_named,
    check_name_matches_uuid,
    check_uuid_known,
    check_model_not_deleting,
    check_location,
    check_resources,
    check_flags,
)


def spec_violations(serve: ModelServe) -> tuple[Violation, ...]:
    """Violations that depend on no other object, so that they are denied before admission."""
    facts = ServeFacts(serve=serve, model_by_name=None, model_by_uuid=None)
    return tuple(found for rule in SPEC_RULES if (found := rule(facts)))
