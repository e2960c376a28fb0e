"""Conditions as in the Kubernetes API conventions ("Typical status properties"), and the phase."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from roadstead.api.raw import Raw, section

Status = Literal["True", "False", "Unknown"]
MESSAGE_LIMIT = 1024

Phase = Literal["Pending", "Ready", "Failed", "Stopped", "Deleted"]
PROGRESS_REASONS: Final = (
    *("Queued", "Transferring", "Verifying"),
    *("Fetching", "Loading", "RollingOut"),
)
TRANSIENT_REASONS: Final = ("Starting", "Progressing")
"""Too short-lived for an Event."""
_WAITING: Final = {
    *PROGRESS_REASONS,
    *TRANSIENT_REASONS,
    *("Unknown", "Asking", "ServerNotReady", "ModelNotAvailable"),
}
_USABLE: Final = "Exhausted"
"""A contract whose totals are used up stays valid."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition:
    """One observation; `reason` is CamelCase, `message` is for people."""

    type: str
    status: Status
    reason: str
    message: str = ""

    @property
    def true(self) -> bool:
        """Whether the status is `True`."""
        return self.status == "True"


def condition(type_: str, value: bool | None, reason: str, message: str = "") -> Condition:
    """A condition that is true, false, or unknown (`None`)."""
    status: Status = "Unknown" if value is None else "True" if value else "False"
    return Condition(type=type_, status=status, reason=reason, message=message)


def stored(raw: Raw) -> dict[str, Raw]:
    """The conditions in an object's status, by type."""
    items = section(raw, "status").get("conditions") or ()
    return {item.get("type", ""): item for item in items}


def entry(raw: Raw, type_: str) -> Raw:
    """One condition in the status of any object, such as a pod; empty if it isn't there."""
    return stored(raw).get(type_, {})


def find(raw: Raw, type_: str) -> Condition | None:
    """One condition of an object of ours."""
    item = entry(raw, type_)
    if not item:
        return None
    return Condition(
        type=type_,
        status=item["status"],
        reason=item["reason"],
        message=item.get("message", ""),
    )


def merged(raw: Raw, desired: Iterable[Condition], *, now: str) -> list[Raw]:
    """The list to store: `lastTransitionTime` changes only when a condition's status changes.

    `now` is an RFC 3339 time. Types that are no longer desired are removed.
    """
    before = stored(raw)
    generation = section(raw, "metadata").get("generation", 0)
    return [_stored(item, before.get(item.type), generation, now) for item in desired]


def _stored(item: Condition, before: Raw | None, generation: int, now: str) -> Raw:
    kept = before is not None and before["status"] == item.status
    return {
        "type": item.type,
        "status": item.status,
        "reason": item.reason,
        "message": item.message[:MESSAGE_LIMIT],
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if kept and before else now,
    }


def summary(parts: Sequence[Condition], *, ready: str) -> Condition:
    """`Ready`: true with reason `ready` if all parts are true, else as the first that is not."""
    for part in parts:
        if not part.true:
            status: Status = "Unknown" if part.status == "Unknown" else "False"
            return Condition(type="Ready", status=status, reason=part.reason, message=part.message)
    return Condition(type="Ready", status="True", reason=ready)


def phase(raw: Raw) -> Phase:
    """Whether an existing object is ready, in progress, stopped, or failed."""
    ready = find(raw, "Ready")
    if ready is None:
        return "Pending"
    if ready.true or ready.reason == _USABLE:
        return "Ready"
    if ready.reason == "ScaledToZero":
        return "Stopped"
    return "Pending" if ready.reason in _WAITING or ready.status == "Unknown" else "Failed"
