"""One word for how an object is, from its condition `Ready`: for tables and sums."""

from __future__ import annotations

from typing import Final, Literal

from roadstead.api import conditions
from roadstead.api.raw import Raw

Phase = Literal["Pending", "Ready", "Failed", "Stopped", "Deleted"]

UNDER_WAY: Final = ("Queued", "Transferring", "Verifying", "Fetching", "Loading", "RollingOut")
PASSING: Final = ("Starting", "Progressing")
"""Between two turns that are news; gone again before anybody could read of them."""
_WAITING: Final = {*UNDER_WAY, *PASSING, "Unknown", "Asking", "ServerNotReady", "ModelNotAvailable"}
_USABLE: Final = "Exhausted"
"""A contract whose totals are used up holds as before."""


def phase(raw: Raw) -> Phase:
    """Whether an object that is there is ready, on its way, stopped, or needs somebody."""
    ready = conditions.find(raw, "Ready")
    if ready is None:
        return "Pending"
    if ready.true or ready.reason == _USABLE:
        return "Ready"
    if ready.reason == "ScaledToZero":
        return "Stopped"
    return "Pending" if ready.reason in _WAITING or ready.status == "Unknown" else "Failed"
