"""Conditions: what is stored, and what counts as a change."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.conditions import MESSAGE_LIMIT, Condition, condition, find, merged, summary

EARLIER, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"

CONDITIONS = st.builds(
    Condition,
    type=st.just("Stored"),
    status=st.sampled_from(["True", "False", "Unknown"]),
    reason=st.sampled_from(["Queued", "Stored"]),
    message=st.text(max_size=8),
)


def holding(*items: Condition, now: str = EARLIER) -> dict[str, Any]:
    """An object with these conditions in its status."""
    meta = {"generation": 3}
    return {
        "metadata": meta,
        "status": {"conditions": merged({"metadata": meta}, items, now=now)},
    }


@pytest.mark.parametrize(("holds", "status"), [(True, "True"), (False, "False"), (None, "Unknown")])
def test_condition_is_true_false_or_unknown(holds: bool | None, status: str) -> None:
    assert condition("Stored", holds, "Why").status == status


@given(CONDITIONS, CONDITIONS)
def test_transition_time_changes_only_with_the_status(before: Condition, after: Condition) -> None:
    (item,) = merged(holding(before), [after], now=LATER)
    moved = before.status != after.status
    assert item["lastTransitionTime"] == (LATER if moved else EARLIER)


@given(CONDITIONS)
def test_stored_condition_is_found(stored: Condition) -> None:
    assert find(holding(stored), "Stored") == stored


@given(CONDITIONS)
def test_repeated_condition_is_unchanged(stored: Condition) -> None:
    raw = holding(stored)
    assert merged(raw, [stored], now=LATER) == raw["status"]["conditions"]


def test_undesired_type_is_removed() -> None:
    raw = holding(condition("Old", True, "Was"))
    assert [item["type"] for item in merged(raw, [], now=LATER)] == []


def test_condition_has_the_observed_generation() -> None:
    assert (
        holding(condition("Stored", True, "Stored"))["status"]["conditions"][0][
            "observedGeneration"
        ]
        == 3
    )


def test_long_message_is_truncated() -> None:
    (item,) = merged({}, [condition("Stored", False, "Why", "x" * 5000)], now=LATER)
    assert len(item["message"]) == MESSAGE_LIMIT


def test_an_object_without_a_status_has_no_condition() -> None:
    assert find({"metadata": {}}, "Ready") is None


def test_ready_is_true_if_all_parts_are() -> None:
    parts = [condition("A", True, "Fine"), condition("B", True, "Fine")]
    assert summary(parts, ready="Ready") == condition("Ready", True, "Ready")


@given(st.lists(CONDITIONS, min_size=1))
def test_ready_has_the_reason_of_the_first_part_that_is_not_true(parts: list[Condition]) -> None:
    first = next((part for part in parts if not part.true), None)
    ready = summary(parts, ready="Ready")
    assert ready.true is (first is None)
    if first is not None:
        assert (ready.reason, ready.message) == (first.reason, first.message)
