"""The phase of an object."""

import pytest

from roadstead.api.conditions import phase


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        ("True", "Ready", "Ready"),
        ("False", "Transferring", "Pending"),
        ("False", "Starting", "Pending"),
        ("False", "ServerNotReady", "Pending"),
        ("Unknown", "Asking", "Pending"),
        ("False", "ScaledToZero", "Stopped"),
        ("False", "OutOfMemory", "Failed"),
        ("False", "NotRouted", "Failed"),
        ("False", "Exhausted", "Ready"),
        ("False", "Expired", "Failed"),
    ],
)
def test_reason_decides_the_phase(status: str, reason: str, expected: str) -> None:
    ready = {"type": "Ready", "status": status, "reason": reason}
    assert phase({"status": {"conditions": [ready]}}) == expected


def test_object_without_conditions_is_pending() -> None:
    assert phase({"metadata": {}}) == "Pending"
