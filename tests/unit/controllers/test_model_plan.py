"""The next step for a Model, from facts alone."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.model import Model, StoreLocation
from roadstead.controllers.model.model_plan import (
    TRANSFER_BACKOFF,
    ModelFacts,
    PlanStep,
    plan,
)
from roadstead.controllers.transfers.running_transfers import State, TransferView
from roadstead.errors import Retry
from roadstead.store.store_client import StoredObject
from roadstead.transfer.messages import Failed, Stopped

TARGET = StoreLocation(endpoint="http://minio:9000", bucket="models", path="gemma/1.gguf")
DIGEST = "a" * 64
VERIFIED = {
    "sha256": DIGEST,
    "etag": "etag-1",
    "minioEndpoint": TARGET.endpoint,
    "minioBucket": TARGET.bucket,
    "minioPath": TARGET.path,
}


def model(status: dict[str, Any] | None = None, **spec: Any) -> Model:
    meta = {"name": "gemma", "uid": "1", "generation": 1}
    return Model.parse({"metadata": meta, "spec": spec, "status": status or {}})


def facts(of: Model | None = None, **changes: Any) -> ModelFacts:
    given = ModelFacts(model=of or model(), target=TARGET, view=None, inputs="1//")
    return dataclasses.replace(given, **changes)


def ended(outcome: Failed | Stopped, *, inputs: str = "1//", attempt: int = 1) -> TransferView:
    return TransferView(state=State.ENDED, inputs=inputs, attempt=attempt, outcome=outcome)


def failed(reason: str = "StoreFull", retry: Retry = Retry.BACKOFF) -> Failed:
    return Failed(reason=reason, message="it failed", retry=retry)


def held(reason: str = "DigestMismatch", inputs: str = "1//") -> Model:
    condition = {"type": "Stored", "status": "False", "reason": reason, "message": "no"}
    return model({"transfer": {"retry": "on-change", "inputs": inputs}, "conditions": [condition]})


@pytest.mark.parametrize(
    ("given_facts", "step"),
    [
        pytest.param(facts(), PlanStep.START, id="new"),
        pytest.param(facts(taken_by="other"), PlanStep.HOLD, id="location-taken"),
        pytest.param(
            facts(view=TransferView(state=State.RUNNING, inputs="1//", attempt=1)),
            PlanStep.WAIT,
            id="running",
        ),
        pytest.param(facts(view=ended(failed())), PlanStep.RETRY, id="failed"),
        pytest.param(facts(view=ended(failed()), now=5.0), PlanStep.START, id="time-to-retry"),
        pytest.param(facts(view=ended(Stopped())), PlanStep.START, id="stopped"),
        pytest.param(
            facts(view=ended(failed("DigestMismatch", Retry.ON_CHANGE)), now=1e9),
            PlanStep.HOLD,
            id="held",
        ),
        pytest.param(
            facts(view=ended(failed("DigestMismatch", Retry.ON_CHANGE), inputs="0//")),
            PlanStep.START,
            id="inputs-changed",
        ),
        pytest.param(
            facts(
                view=ended(failed("ModelUnknown", Retry.ON_CHANGE)), now=TRANSFER_BACKOFF.longest
            ),
            PlanStep.START,
            id="polled",
        ),
        pytest.param(facts(held()), PlanStep.HOLD, id="held-after-restart"),
        pytest.param(facts(held(inputs="0//")), PlanStep.START, id="changed-over-restart"),
        pytest.param(facts(held("ModelUnknown")), PlanStep.START, id="unknown-over-restart"),
        pytest.param(facts(model(VERIFIED)), PlanStep.KEEP, id="verified"),
        pytest.param(facts(model(VERIFIED), checked=True), PlanStep.START, id="object-missing"),
        pytest.param(
            facts(
                model(VERIFIED), checked=True, stored=StoredObject(size=1, etag="x", sha256=None)
            ),
            PlanStep.START,
            id="object-replaced",
        ),
        pytest.param(facts(model(VERIFIED, sha256="b" * 64)), PlanStep.START, id="digest-added"),
        pytest.param(
            facts(model({**VERIFIED, "minioPath": "other"})), PlanStep.START, id="location-changed"
        ),
    ],
)
def test_the_next_step_follows_from_the_facts(given_facts: ModelFacts, step: PlanStep) -> None:
    assert plan(given_facts).step is step


def test_a_model_on_hold_is_reconciled_again() -> None:
    assert plan(facts(taken_by="other")).delay > 0


@given(st.integers(1, 10_000))
def test_retry_delays_never_decrease(attempts: int) -> None:
    delay, later = TRANSFER_BACKOFF.delay(attempts), TRANSFER_BACKOFF.delay(attempts + 1)
    assert 5 <= delay <= later <= TRANSFER_BACKOFF.longest
