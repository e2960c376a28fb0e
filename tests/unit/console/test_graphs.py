"""The geometry of a graph."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.console.web.graphs import (
    HEIGHT,
    TOP,
    WIDTH,
    Graph,
    graph,
    round_up_binary,
    round_up_decimal,
)
from roadstead.console.web.usage_graphs import HOURS, window

SINCE = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
UNTIL = SINCE + datetime.timedelta(hours=1)


def drawn(*points: tuple[float, float], limit: float | None = None) -> Graph:
    """A graph of values at minutes of an hour."""
    found = graph(
        [(SINCE + datetime.timedelta(minutes=minute), value) for minute, value in points],
        since=SINCE, until=UNTIL, text=str, ceiling=round_up_decimal, limit=limit,
    )  # fmt: skip
    assert found is not None
    return found


def test_there_is_no_graph_without_samples() -> None:
    assert graph([], since=SINCE, until=UNTIL, text=str, ceiling=round_up_decimal) is None


def test_value_extends_to_the_next_one() -> None:
    assert drawn((0, 5), (5, 10)).line == f"M0.0 94.0H60.0V{TOP}.0H192.0V{TOP}.0"


def test_gap_interrupts_the_line() -> None:
    assert drawn((0, 5), (40, 5)).line.count("M") == 2


def test_line_ends_now() -> None:
    assert f"H{WIDTH}.0" in drawn((59, 1)).line


def test_limit_is_within_the_graph() -> None:
    found = drawn((0, 1), limit=10)
    assert found.limit == TOP


def test_graph_of_zeros_is_a_line_at_the_bottom() -> None:
    assert f" {HEIGHT}.0H" in drawn((0, 0)).line


@given(st.floats(min_value=1e-9, max_value=1e15))
def test_rounded_value_is_not_below_and_close(value: float) -> None:
    assert value <= round_up_decimal(value) * (1 + 1e-9) <= value * 2.6
    assert value <= round_up_binary(value) <= value * 2.1


@pytest.mark.parametrize("hours", ["", "x", "2", "-1", "999999999999"])
def test_invalid_window_falls_back_to_the_first(hours: str) -> None:
    assert window(hours, now=UNTIL).hours == HOURS[0]
