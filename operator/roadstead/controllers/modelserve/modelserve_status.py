"""The status of a ModelServe, as pure functions of what was observed."""

from __future__ import annotations

import dataclasses
from typing import Any

from roadstead.api import conditions
from roadstead.api.conditions import Condition, condition
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.workload import WorkloadState
from roadstead.gateway.probe import Reached
from roadstead.manifests import names
from roadstead.manifests.gateway import Routing
from roadstead.manifests.modelserve_manifests import SERVICE_PORT
from roadstead.policy.chain import Violation
from roadstead.policy.recheck import Effect, RecheckVerdict
from roadstead.usage.figures import Figures

_MODEL_FIELDS = ("spec.model", "spec.minio")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeObservation:
    """The result of a reconcile: the model, the workload, and what blocks them.

    `blocker` is about the model (its field starts with `spec.model` or `spec.minio`) or about the
    workload; it does not stop a running server. `verdict` is the guard's; None without admission.
    """

    model: Model | None
    workload: WorkloadState | None
    blocker: Violation | None = None
    verdict: RecheckVerdict | None = None
    routing: Routing | None = None
    routed: Reached | None = None
    """The last result of the gateway probe; None before, and if the server is not ready."""
    missing_kinds: tuple[str, ...] = ()
    """Kinds of routes that are not installed in this cluster."""
    usage: Figures | None = None
    """Its usage, as the status shows it; None before a measurement."""


def status_of(serve: ModelServe, seen: ServeObservation, *, now: str) -> dict[str, Any]:
    """The whole status; `now` is an RFC 3339 time."""
    parts = [
        *_contract_accepted(seen),
        _model_available(seen),
        _workload_ready(seen),
        *_routed(seen),
    ]
    ready = conditions.summary(parts, ready="Ready")
    if ready.true:
        ready = dataclasses.replace(ready, message=_workload_ready(seen).message)
    status: dict[str, Any] = {
        "observedGeneration": serve.meta.generation,
        "serverUuid": serve.server_id,
        "selector": names.selector_text(serve),
        "replicas": seen.workload.replicas if seen.workload else 0,
        "readyReplicas": seen.workload.ready_replicas if seen.workload else 0,
        "conditions": conditions.merged(serve.raw, [*parts, ready], now=now),
    }
    if seen.verdict is not None and seen.verdict.subject:
        status["subject"] = seen.verdict.subject
    if seen.model is not None:
        status["modelUuid"] = seen.model.meta.uid
    if seen.workload is not None:
        status["url"] = seen.routing.url_of(serve.server_id) if seen.routing else service_url(serve)
        if seen.workload.started_at:
            status["startedAt"] = seen.workload.started_at
    if seen.usage is not None:
        status |= seen.usage.fields()
    return status


def service_url(serve: ModelServe) -> str:
    """The server's address in the cluster."""
    port = "" if SERVICE_PORT == 80 else f":{SERVICE_PORT}"
    return f"http://{names.child_name(serve.meta.name)}.{serve.meta.namespace}.svc{port}"


def model_blocker(model: Model) -> Violation:
    """Why no server can start on a Model that is not stored and verified yet."""
    name = model.meta.name
    for type_ in ("Stored", "Verified"):
        found = conditions.find(model.raw, type_)
        if found is not None and not found.true:
            message = f"Model {name}: {found.message or found.reason}"
            return Violation(reason=found.reason, message=message, field="spec.modelName")
    return Violation(
        reason="Queued", message=f"Model {name} is not in the store yet", field="spec.modelName"
    )


def _is_about_model(blocker: Violation | None) -> bool:
    return blocker is not None and blocker.field.startswith(_MODEL_FIELDS)


def _contract_accepted(seen: ServeObservation) -> list[Condition]:
    if seen.verdict is None:
        return []
    verdict = seen.verdict
    return [condition("ContractAccepted", verdict.accepted, verdict.reason, verdict.message)]


def _model_available(seen: ServeObservation) -> Condition:
    if seen.blocker is not None and _is_about_model(seen.blocker):
        return condition("ModelAvailable", False, seen.blocker.reason, seen.blocker.message)
    if seen.model is None:
        return condition("ModelAvailable", None, "Unknown", "not checked yet")
    location = seen.model.stored_at
    return condition(
        "ModelAvailable", True, "Verified", f"Model {seen.model.meta.name}: {location}"
    )


def _workload_ready(seen: ServeObservation) -> Condition:
    if seen.blocker is not None and not _is_about_model(seen.blocker):
        message = seen.blocker.message
        if seen.workload is not None and seen.workload.ready:
            message += " (the running server is unchanged)"
        return condition("WorkloadReady", False, seen.blocker.reason, message)
    if seen.workload is None and seen.verdict and seen.verdict.effect is Effect.FREEZE:
        return condition(
            "WorkloadReady", False, "NotAccepted", "starts once ContractAccepted is true"
        )
    if seen.workload is None:
        return condition(
            "WorkloadReady", False, "ModelNotAvailable", "starts once ModelAvailable is true"
        )
    return condition(
        "WorkloadReady", seen.workload.ready, seen.workload.reason, seen.workload.message
    )


def _routed(seen: ServeObservation) -> list[Condition]:
    """True once the server, or the limit of its requests, answered through the gateway."""
    if seen.routing is None:
        return []
    if seen.missing_kinds:
        kinds = " and ".join(seen.missing_kinds)
        message = f"{kinds} are not installed in this cluster: install their definitions (CRDs)"
        return [condition("Routed", False, "GatewayNotInstalled", message)]
    if seen.workload is None or not seen.workload.ready:
        return [condition("Routed", False, "ServerNotReady", "probed once the server is ready")]
    if seen.routed is None:
        return [condition("Routed", None, "Asking", "the gateway is being probed")]
    found = seen.routed
    return [condition("Routed", found.answered, found.reason, found.message)]
