"""The next step for a ModelServe, as a pure function of the facts and the guard's verdict."""

from __future__ import annotations

import dataclasses
from typing import Final

from roadstead.api.model import Model, StoreLocation
from roadstead.api.modelserve import ModelServe
from roadstead.controllers.modelserve.modelserve_status import model_blocker
from roadstead.policy.chain import Violation, evaluate
from roadstead.policy.modelserve_policy import MODELSERVE_RULES, ServeFacts
from roadstead.policy.recheck import Effect, RecheckVerdict

RECHECK_SECONDS: Final = 60.0
"""The delay before a retry if no watch reports the change that is waited for."""
STARTUP_RECHECK_SECONDS: Final = 3.0
"""The same while the system starts."""


@dataclasses.dataclass(frozen=True)
class FreezeServer:
    """Change nothing but replicas that were never granted, and check again after `delay` s."""

    delay: float


@dataclasses.dataclass(frozen=True)
class BlockServer:
    """Apply nothing, for this reason; what runs continues."""

    blocker: Violation


@dataclasses.dataclass(frozen=True)
class AwaitModel:
    """Create the Model if the Quant service knows it; the server waits for it."""


@dataclasses.dataclass(frozen=True)
class ApplyServer:
    """Apply the children of `serve`, which has the replicas that may run."""

    serve: ModelServe
    model: Model
    location: StoreLocation


ServePlan = FreezeServer | BlockServer | AwaitModel | ApplyServer


def plan(facts: ServeFacts, verdict: RecheckVerdict | None) -> ServePlan:
    """The next step for a ModelServe that is not being deleted; no verdict without admission."""
    if verdict is not None and verdict.effect is Effect.FREEZE:
        unknown = verdict.accepted is None
        return FreezeServer(STARTUP_RECHECK_SECONDS if unknown else RECHECK_SECONDS)
    if violation := evaluate(MODELSERVE_RULES, facts):
        return BlockServer(violation)
    if facts.model is None:
        return AwaitModel()
    location = facts.model.stored_at
    if location is None:
        return BlockServer(model_blocker(facts.model))
    replicas = facts.serve.replicas if verdict is None else verdict.replicas
    serve = dataclasses.replace(facts.serve, replicas=replicas)
    return ApplyServer(serve, facts.model, location)
