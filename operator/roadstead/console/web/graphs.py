"""The geometry of a graph of samples, for an inline SVG (pure)."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 180
TOP: Final = 8
MAX_SAMPLE_GAP: Final = datetime.timedelta(minutes=11)
"""The ledger omits unchanged samples for up to ten minutes."""

Point = tuple[datetime.datetime, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Graph:
    """SVG paths in a box of WIDTH by HEIGHT; y increases downwards, 0 is at the bottom."""

    line: str
    area: str
    levels: tuple[tuple[float, str], ...]
    """The horizontal grid lines: y and label."""
    times: tuple[tuple[float, datetime.datetime], ...]
    limit: float | None
    """The y of the limit, if there is one."""
    summary: str
    """A description for screen readers."""


def graph(
    points: Sequence[Point],
    *,
    since: datetime.datetime,
    until: datetime.datetime,
    text: Callable[[float], str],
    ceiling: Callable[[float], float],
    limit: float | None = None,
) -> Graph | None:
    """Return a step graph of the points; None without points."""
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
    """Split the points at gaps; each run extends to the end of its last value."""
    run: list[Point] = []
    for at, value in points:
        if run and at - run[-1][0] > MAX_SAMPLE_GAP:
            yield [*run, (run[-1][0] + MAX_SAMPLE_GAP, run[-1][1])]
            run = []
        run.append((at, value))
    yield [*run, (min(until, run[-1][0] + MAX_SAMPLE_GAP), run[-1][1])]


def _summary(texts: Sequence[str]) -> str:
    return "now {}, at least {}, at most {}".format(*texts)


def _line(run: Sequence[tuple[float, float]]) -> str:
    first, *rest = run
    return f"M{first[0]} {first[1]}" + "".join(f"H{x}V{y}" for x, y in rest)


def round_up_decimal(value: float) -> float:
    """Round up to 1, 2, 2.5 or 5 times a power of ten, as the top of a graph of numbers."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if value <= factor * power)


def round_up_binary(value: float) -> float:
    """Round up to a power of two, as the top of a graph of bytes."""
    return 2.0 ** math.ceil(math.log2(value))
