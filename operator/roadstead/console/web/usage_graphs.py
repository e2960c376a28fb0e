"""The graphs of one server (pure)."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

from roadstead.api.quantity import size_text
from roadstead.clocks import utc_now
from roadstead.console.web.formatting import MEGABYTE
from roadstead.console.web.graphs import Graph, graph, round_up_binary, round_up_decimal

HOURS: Final = (1, 6, 24, 168)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window:
    """The displayed time range."""

    hours: int
    since: datetime.datetime
    until: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True)
class Titled:
    """A graph with its title; None without measurements."""

    key: str
    title: str
    graph: Graph | None


def window(hours: str, *, now: datetime.datetime | None = None) -> Window:
    """Return a range of the last hours, one of HOURS; the first if `hours` is invalid."""
    until = now or utc_now()
    chosen = int(hours) if hours in map(str, HOURS) else HOURS[0]
    return Window(hours=chosen, since=until - datetime.timedelta(hours=chosen), until=until)


def graphs(
    server: Mapping[str, Any], samples: Sequence[Mapping[str, Any]], shown: Window
) -> list[Titled]:
    """Return graphs of memory and its limit, CPU, and, if there are any, tokens."""
    limit = server["memory_limit_mb"]
    memory = graph(
        _points(samples, "memory_current_mb", MEGABYTE),
        since=shown.since,
        until=shown.until,
        text=lambda value: size_text(round(value)),
        ceiling=round_up_binary,
        limit=None if limit is None else limit * MEGABYTE,
    )
    cpu = graph(
        _points(samples, "cpu_usage_percent", 0.01),
        since=shown.since,
        until=shown.until,
        text=lambda value: f"{value:.2g} cores",
        ceiling=round_up_decimal,
    )
    speed = graph(
        _points(samples, "tokens_per_second"),
        since=shown.since,
        until=shown.until,
        text=lambda value: f"{value:.3g} tokens/s",
        ceiling=round_up_decimal,
    )
    found = [
        Titled(key="memory", title="Memory", graph=memory),
        Titled(key="cpu", title="CPU", graph=cpu),
    ]
    return [*found, Titled(key="speed", title="Tokens per second", graph=speed)] if speed else found


def _points(
    samples: Sequence[Mapping[str, Any]], name: str, factor: float = 1.0
) -> list[tuple[datetime.datetime, float]]:
    return [(each["at"], each[name] * factor) for each in samples if each[name] is not None]
