"""What must hold of a ModelServe before anything is made for it."""

from __future__ import annotations

import dataclasses

from roadstead.api.llama_flags import server_args
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.quantity import parse_quantity
from roadstead.api.raw import section
from roadstead.errors import InvalidResource
from roadstead.policy.chain import Rule, Violation


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeFacts:
    """A ModelServe and the Models that it names, as far as the catalogue has them.

    A name that is not in the catalogue is no violation: the Quant service may know the model.
    """

    serve: ModelServe
    named: Model | None
    """The Model called `spec.modelName`."""
    numbered: Model | None
    """The Model whose UID is `spec.modelUuid`."""

    @property
    def model(self) -> Model | None:
        """The one that both mean, once the rules hold."""
        return self.numbered or self.named


def a_model_is_named(facts: ServeFacts) -> Violation | None:
    """`modelName` or `modelUuid` is given."""
    if facts.serve.model_name or facts.serve.model_uuid:
        return None
    return Violation(
        reason="ModelNotNamed",
        message="name the model: set spec.modelName to a Model's name, or spec.modelUuid",
        field="spec.modelName",
    )


def the_uuid_is_known(facts: ServeFacts) -> Violation | None:
    """A UUID can't be asked of the Quant service, so it must be in the catalogue."""
    serve = facts.serve
    if not serve.model_uuid or facts.numbered:
        return None
    if facts.named:
        return Violation(
            reason="ModelMismatch",
            message=f"Model {facts.named.meta.name} has the UUID {facts.named.meta.uid}, not "
            f"{serve.model_uuid}; it was perhaps deleted and made anew. Leave out spec.modelUuid, "
            "or correct it",
            field="spec.modelUuid",
        )
    return Violation(
        reason="ModelNotFound",
        message=f"no Model has the UUID {serve.model_uuid}; `kubectl get models` lists them, "
        "and spec.modelName instead asks the Quant service for the model",
        field="spec.modelUuid",
    )


def name_and_uuid_agree(facts: ServeFacts) -> Violation | None:
    """`modelName` and `modelUuid`, where both are given, mean the same Model."""
    serve, numbered = facts.serve, facts.numbered
    if not serve.model_name or not numbered or numbered.meta.name == serve.model_name:
        return None
    return Violation(
        reason="ModelMismatch",
        message=f"spec.modelUuid is Model {numbered.meta.name}, spec.modelName says "
        f"{serve.model_name}; give one of them, or two that agree",
        field="spec.modelUuid",
    )


def the_model_stays(facts: ServeFacts) -> Violation | None:
    """No server starts on a Model that is being deleted."""
    if not facts.model or not facts.model.meta.deleting:
        return None
    return Violation(
        reason="ModelDeleting",
        message=f"Model {facts.model.meta.name} is being deleted",
        field="spec.modelName",
    )


def the_location_is_the_models(facts: ServeFacts) -> Violation | None:
    """`minioEndpoint`, `minioBucket`, `minioPath`, where given, are the Model's.

    They are compared once the Model is stored, since only then is it known where.
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
                "leave the field out, or write the model's",
                field=f"spec.{field}",
            )
    return None


def the_resources_are_quantities(facts: ServeFacts) -> Violation | None:
    """Every quantity can be read, and no request is above its limit."""
    requests = section(facts.serve.resources, "requests")
    limits = section(facts.serve.resources, "limits")
    try:
        for name, value in limits.items():
            limit = parse_quantity(value, field=f"spec.resources.limits.{name}")
            asked = parse_quantity(
                requests.get(name, value), field=f"spec.resources.requests.{name}"
            )
            if asked > limit:
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


def the_flags_are_allowed(facts: ServeFacts) -> Violation | None:
    """`runtimeParams` become llama-server flags of the allow-list."""
    try:
        server_args(facts.serve.runtime_params, facts.serve.model_name, facts.serve.resources)
    except InvalidResource as error:
        return Violation(reason="InvalidRuntimeParams", message=str(error), field=error.field)
    return None


SPEC_RULES: tuple[Rule[ServeFacts], ...] = (
    a_model_is_named,
    the_resources_are_quantities,
    the_flags_are_allowed,
)
"""Those that no other object decides."""

MODELSERVE_RULES: tuple[Rule[ServeFacts], ...] = (
    a_model_is_named,
    name_and_uuid_agree,
    the_uuid_is_known,
    the_model_stays,
    the_location_is_the_models,
    the_resources_are_quantities,
    the_flags_are_allowed,
)


def spec_violations(serve: ModelServe) -> tuple[Violation, ...]:
    """What can be denied before the spec is stored: no Model and no contract makes it right."""
    facts = ServeFacts(serve=serve, named=None, numbered=None)
    return tuple(found for rule in SPEC_RULES if (found := rule(facts)))
