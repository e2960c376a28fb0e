"""The status of a Model, and its agreement with the CRD's schema."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.conditions import find
from roadstead.api.model import Model, StoreLocation
from roadstead.controllers.model.model_plan import ModelFacts, Plan, PlanStep, plan
from roadstead.controllers.model.model_status import status_of
from roadstead.controllers.transfers.running_transfers import State, TransferView
from roadstead.controllers.transfers.transfer_runner import Blocked
from roadstead.errors import Retry
from roadstead.gguf.gguf_header import GgufHeader
from roadstead.store.store_client import StoredObject
from roadstead.transfer.messages import Completed, Failed, Phase, Progress, Started, Stopped
from tests.unit.schemas import faults, status_schema

SCHEMA = status_schema("models")
NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
TARGET = StoreLocation(endpoint="http://minio:9000", bucket="models", path="gemma/1.gguf")
HEADER = GgufHeader(version=3, architecture="gemma3", parameter_count=1, tensor_count=1)
INPUTS = "1//"

SIZES = st.integers(0, 2**50)
OPTIONAL = st.none() | st.integers(0, 2**63 - 1)
TEXTS = st.none() | st.text(max_size=64)
REASONS = st.sampled_from(["DigestMismatch", "StoreFull", "ModelUnknown", "TransferCrashed"])

HEADERS = st.builds(
    GgufHeader,
    version=st.integers(2, 3),
    architecture=st.text("abc", min_size=1, max_size=64),
    name=st.none() | st.text(max_size=256),
    quantization=TEXTS,
    file_type=OPTIONAL,
    parameter_count=st.integers(0, 2**63 - 1),
    tensor_count=st.integers(1, 2**17),
    **dict.fromkeys(
        ("context_length", "block_count", "embedding_length", "head_count", "head_count_kv"),
        OPTIONAL,
    ),
    **dict.fromkeys(("key_length", "value_length", "sliding_window", "expert_count"), OPTIONAL),
    pooling_type=TEXTS,
    header_bytes=SIZES,
)
STARTED = st.builds(
    Started,
    upload_id=st.text(min_size=1, max_size=64),
    key=st.just(TARGET.path),
    part_size_bytes=SIZES,
    source_etag=st.sampled_from(["", '"etag"']),
    bytes_total=SIZES,
    resumed_bytes=SIZES,
)
PROGRESS = st.builds(
    Progress,
    bytes_done=SIZES,
    bytes_total=SIZES,
    bytes_per_second=SIZES,
    remaining_seconds=st.none() | SIZES,
    phase=st.sampled_from(Phase),
)
FAILED = st.builds(
    Failed, reason=REASONS, message=st.text(max_size=2000), retry=st.sampled_from(Retry)
)
COMPLETED = st.builds(
    Completed,
    size_bytes=SIZES,
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    etag=st.text(max_size=64),
    gguf=HEADERS,
    quantization=TEXTS,
)


@st.composite
def views(draw: st.DrawFn) -> TransferView | None:
    """Any state of a transfer."""
    state = draw(st.none() | st.sampled_from(State))
    if state is None:
        return None
    ended = state is State.ENDED
    return TransferView(
        state=state,
        inputs=draw(st.sampled_from([INPUTS, "0//"])),
        attempt=draw(st.integers(1, 9)),
        started=None if state is State.QUEUED else draw(st.none() | STARTED),
        progress=None if state is State.QUEUED else draw(st.none() | PROGRESS),
        outcome=draw(FAILED | COMPLETED | st.just(Stopped())) if ended else None,
    )


FACTS = st.fixed_dictionaries(
    {
        "view": views(),
        "inputs": st.sampled_from([INPUTS, "0//"]),
        "taken_by": st.sampled_from(["", "other"]),
        "servers": st.lists(st.just("demo/gemma"), max_size=3).map(tuple),
        "checked": st.booleans(),
        "stored": st.none() | st.just(StoredObject(size=1, etag="x", sha256=None)),
        "now": st.floats(0, 1000),
    }
)
HELD = Plan(step=PlanStep.HOLD, reason="StoreUnreachable", message="not there", delay=30)


def model(status: dict[str, Any] | None = None, **spec: Any) -> Model:
    meta = {"name": "gemma", "uid": "1", "generation": 1}
    return Model.parse({"metadata": meta, "spec": spec, "status": status or {}})


def facts(of: Model, **changes: Any) -> ModelFacts:
    return dataclasses.replace(
        ModelFacts(model=of, target=TARGET, view=None, inputs=INPUTS), **changes
    )


def reconciled(given_facts: ModelFacts) -> tuple[Plan, dict[str, Any]]:
    """As the reconciler does it if a start fails because the store is unavailable."""
    step = plan(given_facts)
    if step.step is PlanStep.START:
        given_facts, step = dataclasses.replace(given_facts, view=None), HELD
    return step, status_of(given_facts, step, now=NOW)


def running(progress: Progress | None = None) -> TransferView:
    return TransferView(state=State.RUNNING, inputs=INPUTS, attempt=1, progress=progress)


@given(st.lists(FACTS, min_size=1, max_size=5), st.sampled_from([{}, {"quantization": "Q4_K_M"}]))
def test_every_status_matches_the_schema(turns: list[dict[str, Any]], spec: dict[str, str]) -> None:
    status: dict[str, Any] = {}
    for turn in turns:
        _, status = reconciled(facts(model(status, **spec), **turn))
        assert list(faults(SCHEMA, status)) == []


@given(st.lists(FACTS, min_size=1, max_size=4))
def test_unchanged_facts_give_an_unchanged_status(turns: list[dict[str, Any]]) -> None:
    status: dict[str, Any] = {}
    for turn in turns:
        step, status = reconciled(facts(model(status), **turn))
    once_more = facts(model(status), **turns[-1])
    if step is HELD:
        once_more = dataclasses.replace(once_more, view=None)
    assert status_of(once_more, step, now=LATER) == status


@pytest.mark.parametrize("reason", ["DigestMismatch", "ModelUnknown"])
@pytest.mark.parametrize("inputs", ["0//", INPUTS])
def test_an_unavailable_store_does_not_block_a_model_forever(reason: str, inputs: str) -> None:
    refused = Failed(reason=reason, message="no", retry=Retry.ON_CHANGE)
    view = TransferView(state=State.ENDED, inputs=INPUTS, attempt=1, outcome=refused)
    _, status = reconciled(facts(model(), view=view))
    for _ in range(3):
        held = facts(model(status), inputs=inputs)
        status = status_of(held, HELD, now=NOW)
    assert plan(facts(model(status), inputs=inputs)).step is PlanStep.START


def test_a_permanent_failure_is_remembered_after_a_restart() -> None:
    refused = Failed(reason="DigestMismatch", message="no", retry=Retry.ON_CHANGE)
    view = TransferView(state=State.ENDED, inputs=INPUTS, attempt=1, outcome=refused)
    _, status = reconciled(facts(model(), view=view))
    for _ in range(2):
        step, status = reconciled(facts(model(status)))
        assert (step.step, step.reason) == (PlanStep.HOLD, "DigestMismatch")


def test_a_completed_transfer_is_stored_and_verified() -> None:
    done = Completed(size_bytes=253_113_024, sha256="a" * 64, etag="e", gguf=HEADER)
    view = TransferView(state=State.ENDED, inputs=INPUTS, attempt=1, outcome=done)
    _, status = reconciled(facts(model(), view=view))
    stored = model(status)
    assert [find(stored.raw, name) is not None for name in ("Stored", "Verified", "Ready")]
    assert (status["size"], status["progress"], stored.digest) == ("241 MiB", "100%", "a" * 64)
    assert stored.stored_at == TARGET


def test_the_verified_object_is_kept_by_later_writes() -> None:
    done = Completed(size_bytes=1, sha256="a" * 64, etag="e", gguf=HEADER)
    view = TransferView(state=State.ENDED, inputs=INPUTS, attempt=1, outcome=done)
    _, first = reconciled(facts(model(), view=view))
    step, second = reconciled(facts(model(first), servers=("demo/gemma",)))
    assert step.step is PlanStep.KEEP
    assert second == {**first, "servers": 1}


@pytest.mark.parametrize(
    ("view", "reason", "message"),
    [
        pytest.param(None, "Queued", "waits", id="new"),
        pytest.param(running(), "Transferring", "starts", id="starts"),
        pytest.param(
            dataclasses.replace(running(), blocked=Blocked(reason="Unschedulable", message="full")),
            "Unschedulable",
            "full",
            id="blocked",
        ),
        pytest.param(
            running(
                Progress(
                    bytes_done=2**20,
                    bytes_total=4 * 2**20,
                    bytes_per_second=2**20,
                    remaining_seconds=3,
                )
            ),
            "Transferring",
            "25% (1 MiB of 4 MiB), 1 MiB/s, 3 s left",
            id="moves",
        ),
        pytest.param(
            running(
                Progress(bytes_done=1, bytes_total=2, bytes_per_second=1, phase=Phase.VERIFYING)
            ),
            "Verifying",
            "verified 50%",
            id="verifies",
        ),
    ],
)
def test_the_stored_condition_shows_the_progress(
    view: TransferView | None, reason: str, message: str
) -> None:
    found = find(
        {"status": status_of(facts(model(), view=view), Plan(step=PlanStep.WAIT), now=NOW)},
        "Stored",
    )
    assert found is not None
    assert (found.status, found.reason) == ("False", reason)
    assert message in found.message


@pytest.mark.parametrize(
    ("reason", "verified"), [("DigestMismatch", "False"), ("StoreFull", "Unknown")]
)
def test_verified_is_false_only_if_the_content_is_wrong(reason: str, verified: str) -> None:
    failed = Failed(reason=reason, message="no")
    view = TransferView(state=State.ENDED, inputs=INPUTS, attempt=1, outcome=failed)
    _, status = reconciled(facts(model(), view=view))
    found = find({"status": status}, "Verified")
    assert found is not None
    assert found.status == verified


def test_an_etag_of_any_length_fits_the_status() -> None:
    started = Started(
        upload_id="u",
        key=TARGET.path,
        part_size_bytes=1,
        source_etag="e" * 10_000,
        bytes_total=1,
        resumed_bytes=0,
    )
    view = dataclasses.replace(running(), started=started)
    status = status_of(facts(model(), view=view), Plan(step=PlanStep.WAIT), now=NOW)
    assert list(faults(SCHEMA, status)) == []


def test_the_phase_and_the_start_are_those_of_this_attempt() -> None:
    progress = Progress(bytes_done=1, bytes_total=2, bytes_per_second=1, phase=Phase.VERIFYING)
    earlier = status_of(facts(model(), view=running(progress)), Plan(step=PlanStep.WAIT), now=NOW)
    view = dataclasses.replace(running(), attempt=2)
    later = status_of(facts(model(earlier), view=view), Plan(step=PlanStep.WAIT), now=LATER)
    assert earlier["transfer"]["phase"] == "verifying"
    assert (earlier["transfer"]["startedAt"], later["transfer"]["startedAt"]) == (NOW, LATER)
