"""What to do next for a Model: `plan` is a function of facts.

It does no I/O, but imports types of modules that do: this is no module of a pure layer.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final

from roadstead.api import conditions
from roadstead.api.location import StoreLocation
from roadstead.api.model import Model
from roadstead.api.raw import section
from roadstead.api.sizes import seconds_text
from roadstead.controllers.transfers import State, TransferView
from roadstead.errors import Retry
from roadstead.store.store_client import StoredObject
from roadstead.transfer.messages import Completed, Failed

FIRST_RETRY: Final = 5.0
LAST_RETRY: Final = 300.0
FAILED_CHECK_SECONDS: Final = 60.0
"""How often it is looked whether a Model that was given up has another chance."""

_ASKED_AGAIN: Final = ("ModelUnknown", "SourceGone")
"""Refusals of the Quant service that cost nothing to ask for again, and may end any day."""


class PlanStep(enum.Enum):
    """What comes next."""

    KEEP = "the object is stored and verified"
    WAIT = "a transfer runs"
    START = "a transfer has to be started"
    RETRY = "a transfer is started again after a while"
    HOLD = "nothing is tried until something changes"
    RECORD = "a transfer was completed: the status has to say so"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What is known of a Model when it is reconciled.

    `inputs` stands for all that a further attempt could depend on: the generation, the version of
    the Secret that holds the URL, the retry annotation. `stored` is what the store has at the
    verified object's place, `checked` whether it was asked.
    """

    model: Model
    target: StoreLocation
    view: TransferView | None
    inputs: str
    taken_by: str = ""
    servers: tuple[str, ...] = ()
    checked: bool = False
    stored: StoredObject | None = None
    now: float = 0
    """Seconds on the clock that `TransferView.ended` is of."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """The step, why, and the seconds after which to look again (0: only when something changes)."""

    step: PlanStep
    reason: str = ""
    message: str = ""
    delay: float = 0


def plan(facts: ModelFacts) -> Plan:
    """The next step for a Model that is not being deleted."""
    if facts.taken_by:
        return _taken(facts)
    if facts.view is not None:
        return _of_transfer(facts, facts.view)
    if facts.model.digest:
        return _of_verified(facts)
    return _of_status(facts)


def attempt(facts: ModelFacts) -> int:
    """The number of the latest attempt, 0 before the first."""
    if facts.view is not None:
        return facts.view.attempt
    return int(section(facts.model.status, "transfer").get("attempt", 0))


def retry_delay(attempts: int) -> float:
    """Seconds between attempts: doubling from 5 to 300."""
    return min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(attempts - 1, 10))


def _taken(facts: ModelFacts) -> Plan:
    message = (
        f"{facts.target} belongs to Model {facts.taken_by}; "
        "leave spec.minioPath out or write another one"
    )
    return Plan(
        step=PlanStep.HOLD, reason="LocationTaken", message=message, delay=FAILED_CHECK_SECONDS
    )


def _of_transfer(facts: ModelFacts, view: TransferView) -> Plan:
    if view.state is not State.ENDED:
        return Plan(step=PlanStep.WAIT)
    if isinstance(view.outcome, Completed) and _as_asked(facts.model, view.outcome):
        return Plan(step=PlanStep.RECORD)
    if isinstance(view.outcome, Failed) and view.inputs == facts.inputs:
        return _of_failure(facts, view, view.outcome)
    return Plan(step=PlanStep.START)


def _as_asked(model: Model, completed: Completed) -> bool:
    """Whether it is what the spec says now: a digest may have been added meanwhile."""
    return not model.sha256 or model.sha256 == completed.sha256


def _of_failure(facts: ModelFacts, view: TransferView, failed: Failed) -> Plan:
    if failed.retry is Retry.ON_CHANGE and failed.reason not in _ASKED_AGAIN:
        return Plan(
            step=PlanStep.HOLD,
            reason=failed.reason,
            message=failed.message,
            delay=FAILED_CHECK_SECONDS,
        )
    asked = failed.retry is Retry.ON_CHANGE
    delay = LAST_RETRY if asked else retry_delay(view.attempt)
    left = view.ended + delay - facts.now
    if left <= 0:
        return Plan(step=PlanStep.START)
    when = f" (attempt {view.attempt} failed; the next one {seconds_text(int(delay))} later)"
    return Plan(
        step=PlanStep.RETRY, reason=failed.reason, message=failed.message + when, delay=left
    )


def _of_verified(facts: ModelFacts) -> Plan:
    if facts.model.stored_at != facts.target:
        message = f"the model belongs at {facts.target}, but is at {facts.model.stored_at}"
        return Plan(step=PlanStep.START, reason="LocationChanged", message=message)
    if facts.model.sha256 and facts.model.sha256 != facts.model.digest:
        message = f"spec.sha256 is not that of the stored object, {facts.model.digest}"
        return Plan(step=PlanStep.START, reason="DigestChanged", message=message)
    if not facts.checked:
        return Plan(step=PlanStep.KEEP)
    if facts.stored is None:
        message = f"{facts.target} is not in the store any more; it is brought again"
        return Plan(step=PlanStep.START, reason="ObjectMissing", message=message)
    if facts.stored.etag != facts.model.status.get("etag"):
        message = f"{facts.target} was replaced by something else; it is brought again"
        return Plan(step=PlanStep.START, reason="ObjectReplaced", message=message)
    return Plan(step=PlanStep.KEEP)


def _of_status(facts: ModelFacts) -> Plan:
    """After a restart only the status tells what an earlier attempt came to."""
    transfer = section(facts.model.status, "transfer")
    failed = conditions.find(facts.model.raw, "Stored")
    if failed is None or transfer.get("retry") != Retry.ON_CHANGE:
        return Plan(step=PlanStep.START)
    if transfer.get("inputs") != facts.inputs:
        return Plan(step=PlanStep.START)
    if failed.reason in _ASKED_AGAIN:
        return Plan(step=PlanStep.START)
    return Plan(
        step=PlanStep.HOLD, reason=failed.reason, message=failed.message, delay=FAILED_CHECK_SECONDS
    )
