"""The next step for a ModelServe."""

from __future__ import annotations

import dataclasses

import pytest

from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.controllers.modelserve.modelserve_plan import (
    RECHECK_SECONDS,
    STARTUP_RECHECK_SECONDS,
    ApplyServer,
    AwaitModel,
    BlockServer,
    FreezeServer,
    plan,
)
from roadstead.policy.modelserve_policy import ServeFacts
from roadstead.policy.recheck import Effect, RecheckVerdict
from tests.support.builders.resources import make_model, make_serve


def facts(model: Model | None, serve: ModelServe | None = None) -> ServeFacts:
    return ServeFacts(serve=serve or make_serve(), model_by_name=model, model_by_uuid=None)


def verdict(effect: Effect, *, accepted: bool | None = False, replicas: int = 0) -> RecheckVerdict:
    return RecheckVerdict(
        accepted=accepted, reason="Any", message="", effect=effect, replicas=replicas
    )


def test_a_server_of_a_stored_model_is_applied() -> None:
    step = plan(facts(make_model()), None)
    assert isinstance(step, ApplyServer)
    assert (step.serve.replicas, step.location) == (1, make_model().stored_at)


@pytest.mark.parametrize("effect", [Effect.APPLY, Effect.CAP, Effect.DRAIN])
def test_the_verdict_determines_the_replicas(effect: Effect) -> None:
    step = plan(facts(make_model()), verdict(effect, replicas=7))
    assert isinstance(step, ApplyServer)
    assert step.serve.replicas == 7


@pytest.mark.parametrize(
    ("accepted", "delay"), [(None, STARTUP_RECHECK_SECONDS), (False, RECHECK_SECONDS)]
)
def test_a_frozen_server_is_not_applied(accepted: bool | None, delay: float) -> None:
    found = verdict(Effect.FREEZE, accepted=accepted)
    assert plan(facts(make_model()), found) == FreezeServer(delay)


def test_a_server_waits_for_a_model_that_is_not_in_the_catalogue() -> None:
    assert plan(facts(None), None) == AwaitModel()


def test_a_server_is_blocked_by_a_model_that_is_not_stored() -> None:
    step = plan(facts(make_model(stored=False)), None)
    assert isinstance(step, BlockServer)
    assert step.blocker.reason == "Queued"


def test_a_server_is_blocked_by_a_location_that_is_not_complete() -> None:
    assert isinstance(plan(facts(make_model(minioPath="")), None), BlockServer)


def test_a_violation_blocks_before_the_model_is_created() -> None:
    step = plan(facts(None, make_serve(resources={"limits": {"cpu": "x"}})), None)
    assert isinstance(step, BlockServer)
    assert step.blocker.reason == "InvalidResources"


def test_an_unreadable_spec_blocks_with_its_fields() -> None:
    serve = dataclasses.replace(make_serve(), faults=("spec.replicas: expected a whole number",))
    step = plan(facts(make_model(), serve), None)
    assert isinstance(step, BlockServer)
    assert (step.blocker.reason, step.blocker.message) == ("Unreadable", serve.faults[0])
