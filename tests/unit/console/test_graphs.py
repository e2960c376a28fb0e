"""The geometry of a graph."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.console.graphs import HEIGHT, TOP, WIDTH, Graph, graph, tens, twos
from roadstead.console.usage_graphs import HOURS, window

SINCE = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
UNTIL = SINCE + datetime.timedelta(hours=1)


def drawn(*points: tuple[float, float], limit: float | None = None) -> Graph:
    """A graph of values at minutes."""
    found = graph(
        [(SINCE + datetime.timedelta(minutes=minute), value) for minute, value in points],
        since=SINCE, until=UNTIL, text=str, ceiling=tens, limit=limit,
    )  # fmt: skip
    assert found is not None
    return found


def test_nothing_measured_is_no_graph() -> None:
    assert graph([], since=SINCE, until=UNTIL, text=str, ceiling=tens) is None


def test_value_holds_until_the_next() -> None:
    assert drawn((0, 5), (5, 10)).line == f"M0.0 94.0H60.0V{TOP}.0H192.0V{TOP}.0"


def test_hole_ends_the_line() -> None:
    assert drawn((0, 5), (40, 5)).line.count("M") == 2


def test_line_does_not_go_past_now() -> None:
    assert f"H{WIDTH}.0" in drawn((59, 1)).line


def test_limit_is_within_the_graph() -> None:
    found = drawn((0, 1), limit=10)
    assert found.limit == TOP


def test_graph_of_nothing_but_zeros_is_a_line_at_the_bottom() -> None:
    assert f" {HEIGHT}.0H" in drawn((0, 0)).line


@given(st.floats(min_value=1e-9, max_value=1e15))
def test_ceilings_are_at_or_above_the_value_and_not_far(value: float) -> None:
    assert value <= tens(value) * (1 + 1e-9) <= value * 2.6
    assert value <= twos(value) <= value * 2.1


@pytest.mark.parametrize("hours", ["", "x", "2", "-1", "999999999999"])
def test_window_that_is_none_is_the_first(hours: str) -> None:
    assert window(hours, now=UNTIL).hours == HOURS[0]
