"""The next step for a Model: `plan` is a function of facts.

It does no I/O, but imports types of modules that do.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final

from roadstead.api import conditions
from roadstead.api.model import Model, StoreLocation
from roadstead.api.quantity import seconds_text
from roadstead.api.raw import section
from roadstead.controllers.transfers.running_transfers import State, TransferView
from roadstead.errors import Retry
from roadstead.exponential_backoff import Backoff
from roadstead.store.store_client import StoredObject
from roadstead.transfer.messages import Completed, Failed

TRANSFER_BACKOFF: Final = Backoff(first=5.0, longest=300.0)
FAILED_CHECK_SECONDS: Final = 60.0
"""How often a Model that waits for a change is checked for one."""

_POLLED_REASONS: Final = ("ModelUnknown", "SourceGone")
"""Refusals of the Quant service that are retried without a change: the request is cheap, and the
model may become available at any time."""


class PlanStep(enum.Enum):
    """The next step for a Model."""

    KEEP = "the object is stored and verified"
    WAIT = "a transfer runs"
    START = "a transfer must be started"
    RETRY = "the transfer is retried after a delay"
    HOLD = "nothing is retried until something changes"
    RECORD = "a transfer completed and must be recorded in the status"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """The facts about a Model at a reconcile.

    `inputs` is a digest of everything that another attempt depends on: the generation, the version
    of the Secret with the URL, the retry annotation. `stored` is the object at the verified
    object's location, `checked` whether the store was queried.
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
    """Seconds on the clock of `TransferView.ended`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """The step, its reason, and seconds until the next reconcile (0: when something changes)."""

    step: PlanStep
    reason: str = ""
    message: str = ""
    delay: float = 0
    completed: Completed | None = None
    """The result of the transfer, for RECORD."""


def plan(facts: ModelFacts) -> Plan:
    """The next step for a Model that is not being deleted."""
    if facts.taken_by:
        return _plan_location_taken(facts)
    if facts.view is not None:
        return _plan_transfer(facts, facts.view)
    if facts.model.digest:
        return _plan_verified(facts)
    return _plan_from_status(facts)


def attempt(facts: ModelFacts) -> int:
    """The number of the latest attempt, 0 before the first."""
    if facts.view is not None:
        return facts.view.attempt
    return int(section(facts.model.status, "transfer").get("attempt", 0))


def _plan_location_taken(facts: ModelFacts) -> Plan:
    message = (
        f"{facts.target} belongs to Model {facts.taken_by}; remove spec.minioPath or change it"
    )
    return Plan(
        step=PlanStep.HOLD, reason="LocationTaken", message=message, delay=FAILED_CHECK_SECONDS
    )


def _plan_transfer(facts: ModelFacts, view: TransferView) -> Plan:
    if view.state is not State.ENDED:
        return Plan(step=PlanStep.WAIT)
    if isinstance(view.outcome, Completed) and _matches_spec(facts.model, view.outcome):
        return Plan(step=PlanStep.RECORD, completed=view.outcome)
    if isinstance(view.outcome, Failed) and view.inputs == facts.inputs:
        return _plan_failure(facts, view, view.outcome)
    return Plan(step=PlanStep.START)


def _matches_spec(model: Model, completed: Completed) -> bool:
    """Whether the result matches the current spec: a digest may have been added meanwhile."""
    return not model.sha256 or model.sha256 == completed.sha256


def _plan_failure(facts: ModelFacts, view: TransferView, failed: Failed) -> Plan:
    if failed.retry is Retry.ON_CHANGE and failed.reason not in _POLLED_REASONS:
        return Plan(
            step=PlanStep.HOLD,
            reason=failed.reason,
            message=failed.message,
            delay=FAILED_CHECK_SECONDS,
        )
    polled = failed.retry is Retry.ON_CHANGE
    delay = TRANSFER_BACKOFF.longest if polled else TRANSFER_BACKOFF.delay(max(1, view.attempt))
    left = view.ended + delay - facts.now
    if left <= 0:
        return Plan(step=PlanStep.START)
    when = f" (attempt {view.attempt} failed; the next one {seconds_text(int(delay))} later)"
    return Plan(
        step=PlanStep.RETRY, reason=failed.reason, message=failed.message + when, delay=left
    )


def _plan_verified(facts: ModelFacts) -> Plan:
    if facts.model.stored_at != facts.target:
        message = f"the object is at {facts.model.stored_at}, but the spec requires {facts.target}"
        return Plan(step=PlanStep.START, reason="LocationChanged", message=message)
    if facts.model.sha256 and facts.model.sha256 != facts.model.digest:
        message = f"spec.sha256 differs from the sha256 of the stored object, {facts.model.digest}"
        return Plan(step=PlanStep.START, reason="DigestChanged", message=message)
    if not facts.checked:
        return Plan(step=PlanStep.KEEP)
    if facts.stored is None:
        message = f"{facts.target} is no longer in the store; it is transferred again"
        return Plan(step=PlanStep.START, reason="ObjectMissing", message=message)
    if facts.stored.etag != facts.model.status.get("etag"):
        message = f"{facts.target} was replaced by another object; it is transferred again"
        return Plan(step=PlanStep.START, reason="ObjectReplaced", message=message)
    return Plan(step=PlanStep.KEEP)


def _plan_from_status(facts: ModelFacts) -> Plan:
    """The step after a restart, when only the status has the outcome of the last attempt."""
    transfer = section(facts.model.status, "transfer")
    failed = conditions.find(facts.model.raw, "Stored")
    if failed is None or transfer.get("retry") != Retry.ON_CHANGE:
        return Plan(step=PlanStep.START)
    if transfer.get("inputs") != facts.inputs:
        return Plan(step=PlanStep.START)
    if failed.reason in _POLLED_REASONS:
        return Plan(step=PlanStep.START)
    return Plan(
        step=PlanStep.HOLD, reason=failed.reason, message=failed.message, delay=FAILED_CHECK_SECONDS
    )
