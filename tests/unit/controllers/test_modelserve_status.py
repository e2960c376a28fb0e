"""The status of a ModelServe, and its agreement with the CRD's schema."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.conditions import Condition, find
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.workload import WorkloadState, observe
from roadstead.controllers.modelserve.modelserve_status import (
    ServeObservation,
    model_blocker,
    status_of,
)
from roadstead.controllers.status_writer import ready_change
from roadstead.policy.chain import Violation
from roadstead.usage.figures import Figures
from tests.support.builders import pods
from tests.support.builders.resources import make_model, make_serve
from tests.unit.schemas import faults, status_schema

SCHEMA = status_schema("modelserves")
NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"

READY = WorkloadState(
    ready=True,
    replicas=1,
    ready_replicas=1,
    reason="ServersReady",
    message="1 of 1 servers ready",
    started_at=NOW,
)
OF_MODEL = Violation(reason="ModelUnknown", message="unknown model", field="spec.modelName")
OF_FLAGS = Violation(
    reason="InvalidRuntimeParams", message="no such flag", field="spec.runtimeParams"
)

TEXT = st.text(max_size=40)
STATES = st.one_of(
    st.builds(pods.waiting, TEXT, TEXT),
    st.builds(pods.ended, st.integers(0, 255), TEXT, TEXT),
    st.just(pods.running()),
    st.just(pods.initializing()),
)
VIOLATIONS = st.builds(
    Violation,
    reason=st.just("Rejected"),
    message=st.text(max_size=2000),
    field=st.sampled_from(["", "spec.modelName", "spec.minioPath", "spec.resources"]),
)


def condition_of(seen: ServeObservation, type_: str) -> Condition:
    found = find({"status": status_of(make_serve(), seen, now=NOW)}, type_)
    assert found is not None
    return found


@given(
    st.booleans(),
    st.lists(STATES, max_size=2),
    st.none() | VIOLATIONS,
    st.booleans(),
    st.integers(0, 3),
    st.booleans(),
    TEXT,
)
def test_every_status_matches_the_schema(
    stored: bool,
    states: list[dict[str, Any]],
    blocker: Violation | None,
    created: bool,
    count: int,
    failed: bool,
    reason: str,
) -> None:
    phase: dict[str, Any] = {"phase": "Failed", "reason": reason} if failed else {}
    found = [pods.pod(f"gemma-{n}", server=state, **phase) for n, state in enumerate(states)]
    workload = observe(pods.deployment(replicas=2, ready=count), found) if created else None
    seen = ServeObservation(
        model=make_model() if stored else None, workload=workload, blocker=blocker
    )
    assert list(faults(SCHEMA, status_of(make_serve(), seen, now=NOW))) == []


@pytest.mark.parametrize(
    ("pod_reason", "reason"),
    [("Evicted", "Evicted"), ("OutOfnvidia.com/gpu", "OutOfnvidiacomgpu"), ("", "PodFailed")],
)
def test_the_reason_of_a_failed_pod_becomes_one_word(pod_reason: str, reason: str) -> None:
    pod = pods.pod(phase="Failed", reason=pod_reason)
    seen = ServeObservation(model=make_model(), workload=observe(pods.deployment(), [pod]))
    assert condition_of(seen, "WorkloadReady").reason == reason


def test_an_unchanged_observation_gives_an_unchanged_status() -> None:
    seen = ServeObservation(model=make_model(), workload=READY)
    serve = make_serve()
    status = status_of(serve, seen, now=NOW)
    again = type(serve).parse({**serve.raw, "status": status})
    assert status_of(again, seen, now=LATER) == status


def test_usage_is_shown_without_a_change_of_conditions() -> None:
    plain = status_of(make_serve(), ServeObservation(model=make_model(), workload=READY), now=NOW)
    again = ModelServe.parse({**make_serve().raw, "status": plain})
    figures = Figures(memory=2**29, memory_max=2**30, cpu_percent=12)
    seen = ServeObservation(model=make_model(), workload=READY, usage=figures)
    status = status_of(again, seen, now=LATER)
    assert status == {**plain, **figures.fields()}
    assert ready_change(plain, status) is None


def test_a_modelserve_with_ready_pods_is_ready_and_has_an_address() -> None:
    seen = ServeObservation(model=make_model(), workload=READY)
    status = status_of(make_serve(), seen, now=NOW)
    assert condition_of(seen, "Ready").true
    assert status["url"] == "http://gemma.demo.svc"
    assert (status["modelUuid"], status["startedAt"]) == ("model-uid", NOW)


@pytest.mark.parametrize(
    ("seen", "available", "workload"),
    [
        pytest.param(
            ServeObservation(model=None, workload=None), "Unknown", "ModelNotAvailable", id="new"
        ),
        pytest.param(
            ServeObservation(model=None, workload=None, blocker=OF_MODEL),
            "ModelUnknown",
            "ModelNotAvailable",
            id="no-model",
        ),
        pytest.param(
            ServeObservation(model=make_model(), workload=None, blocker=OF_FLAGS),
            "Verified",
            "InvalidRuntimeParams",
            id="flags",
        ),
        pytest.param(
            ServeObservation(model=None, workload=READY, blocker=OF_MODEL),
            "ModelUnknown",
            "ServersReady",
            id="model-gone",
        ),
    ],
)
def test_a_blocker_is_in_the_condition_that_it_concerns(
    seen: ServeObservation, available: str, workload: str
) -> None:
    reasons = (
        condition_of(seen, "ModelAvailable").reason,
        condition_of(seen, "WorkloadReady").reason,
    )
    assert reasons == (available, workload)
    assert not condition_of(seen, "Ready").true


def test_a_blocker_does_not_affect_a_running_server() -> None:
    seen = ServeObservation(model=make_model(), workload=READY, blocker=OF_FLAGS)
    assert "the running server is unchanged" in condition_of(seen, "WorkloadReady").message


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        pytest.param([], "Queued", id="nothing-yet"),
        pytest.param([("Stored", "False", "StoreFull")], "StoreFull", id="not-stored"),
        pytest.param(
            [("Stored", "True", "Stored"), ("Verified", "False", "DigestMismatch")],
            "DigestMismatch",
            id="not-verified",
        ),
    ],
)
def test_an_unavailable_model_blocks_with_its_own_reason(
    conditions: list[tuple[str, str, str]], reason: str
) -> None:
    items = [
        {"type": type_, "status": status, "reason": why, "message": ""}
        for type_, status, why in conditions
    ]
    model = Model.parse({"metadata": {"name": "gemma"}, "status": {"conditions": items}})
    found = model_blocker(model)
    assert (found.reason, found.field) == (reason, "spec.modelName")
    assert "gemma" in found.message
