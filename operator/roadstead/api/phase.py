"""The phase of an object, from its condition `Ready`: for tables and sums."""

from __future__ import annotations

from typing import Final, Literal

from roadstead.api import conditions
from roadstead.api.raw import Raw

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


def phase(raw: Raw) -> Phase:
    """Whether an existing object is ready, in progress, stopped, or failed."""
    ready = conditions.find(raw, "Ready")
    if ready is None:
        return "Pending"
    if ready.true or ready.reason == _USABLE:
        return "Ready"
    if ready.reason == "ScaledToZero":
        return "Stopped"
    return "Pending" if ready.reason in _WAITING or ready.status == "Unknown" else "Failed"
