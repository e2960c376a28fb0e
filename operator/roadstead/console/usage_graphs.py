"""The graphs of one server (pure)."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

from roadstead.api.sizes import size_text
from roadstead.console.formatting import MEGABYTE
from roadstead.console.graphs import Graph, graph, tens, twos

HOURS: Final = (1, 6, 24, 168)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window:
    """The time that is shown."""

    hours: int
    since: datetime.datetime
    until: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True)
class Titled:
    """A graph with its heading; None where nothing was measured."""

    key: str
    title: str
    graph: Graph | None


def window(hours: str, *, now: datetime.datetime | None = None) -> Window:
    """The last hours, one of HOURS; the first where it is none."""
    until = now or datetime.datetime.now(datetime.UTC)
    chosen = int(hours) if hours in map(str, HOURS) else HOURS[0]
    return Window(hours=chosen, since=until - datetime.timedelta(hours=chosen), until=until)


def graphs(
    server: Mapping[str, Any], samples: Sequence[Mapping[str, Any]], shown: Window
) -> list[Titled]:
    """Memory against its limit, CPU, and tokens where there were any."""
    limit = server["memory_limit_mb"]
    memory = graph(
        _points(samples, "memory_current_mb", MEGABYTE),
        since=shown.since,
        until=shown.until,
        text=lambda value: size_text(round(value)),
        ceiling=twos,
        limit=None if limit is None else limit * MEGABYTE,
    )
    cpu = graph(
        _points(samples, "cpu_usage_percent", 0.01),
        since=shown.since,
        until=shown.until,
        text=lambda value: f"{value:.2g} cores",
        ceiling=tens,
    )
    speed = graph(
        _points(samples, "tokens_per_second"),
        since=shown.since,
        until=shown.until,
        text=lambda value: f"{value:.3g} tokens/s",
        ceiling=tens,
    )
    found = [
        Titled(key="memory", title="Memory", graph=memory),
        Titled(key="cpu", title="CPU", graph=cpu),
    ]
    return [*found, Titled(key="speed", title="Tokens a second", graph=speed)] if speed else found


def _points(
    samples: Sequence[Mapping[str, Any]], name: str, factor: float = 1.0
) -> list[tuple[datetime.datetime, float]]:
    return [(each["at"], each[name] * factor) for each in samples if each[name] is not None]
