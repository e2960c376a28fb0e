"""A graph's geometry from a server's samples: what an inline SVG draws (pure)."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 180
TOP: Final = 8
CARRIED: Final = datetime.timedelta(minutes=11)
"""A sample that repeats the one before is left out of the ledger for up to ten minutes."""

Point = tuple[datetime.datetime, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Graph:
    """In a box of WIDTH by HEIGHT: y grows downwards, 0 is at the bottom."""

    line: str
    area: str
    levels: tuple[tuple[float, str], ...]
    """Of the grid: y and what is written beside it."""
    times: tuple[tuple[float, datetime.datetime], ...]
    limit: float | None
    """The y of the limit, where there is one."""
    summary: str
    """For those who can't see it."""


def graph(
    points: Sequence[Point],
    *,
    since: datetime.datetime,
    until: datetime.datetime,
    text: Callable[[float], str],
    ceiling: Callable[[float], float],
    limit: float | None = None,
) -> Graph | None:
    """A graph of values that each hold until the next; None without any point."""
    if not points:
        return None
    values = [value for _, value in points]
    top = ceiling(max(*values, limit or 0.0, 1e-9))
    span = (until - since).total_seconds()

    def x(moment: datetime.datetime) -> float:
        return round((moment - since).total_seconds() / span * WIDTH, 1)

    def y(value: float) -> float:
        return round(HEIGHT - value / top * (HEIGHT - TOP), 1)

    runs = [[(x(at), y(value)) for at, value in run] for run in _runs(points, until)]
    return Graph(
        line=" ".join(_line(run) for run in runs),
        area=" ".join(f"{_line(run)}V{HEIGHT}H{run[0][0]}Z" for run in runs),
        levels=tuple((y(top * part), text(top * part)) for part in (0.0, 0.5, 1.0)),
        times=tuple((WIDTH * part / 4, since + (until - since) * part / 4) for part in range(1, 4)),
        limit=y(limit) if limit else None,
        summary=_summary([text(each) for each in (values[-1], min(values), max(values))]),
    )


def _runs(points: Sequence[Point], until: datetime.datetime) -> Iterator[list[Point]]:
    """Points without a hole between them, each run carried on as far as its last value holds."""
    run: list[Point] = []
    for at, value in points:
        if run and at - run[-1][0] > CARRIED:
            yield [*run, (run[-1][0] + CARRIED, run[-1][1])]
            run = []
        run.append((at, value))
    yield [*run, (min(until, run[-1][0] + CARRIED), run[-1][1])]


def _summary(texts: Sequence[str]) -> str:
    return "now {}, at least {}, at most {}".format(*texts)


def _line(run: Sequence[tuple[float, float]]) -> str:
    first, *rest = run
    return f"M{first[0]} {first[1]}" + "".join(f"H{x}V{y}" for x, y in rest)


def tens(value: float) -> float:
    """The next of 1, 2, 2.5 and 5 times a power of ten: where a graph of numbers ends."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if value <= factor * power)


def twos(value: float) -> float:
    """The next power of two: where a graph of bytes ends."""
    return 2.0 ** math.ceil(math.log2(value))
