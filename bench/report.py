"""The results of a benchmark: a table for people, JSON for machines. Pure."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.measure import Cost

OURS = "roadstead"
MAX_RSS_MIB = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class Goal:
    """Ours takes at most `ratio` of the time of `against`."""

    against: str
    ratio: float


GOALS = {
    "transfer": Goal(against="curl | mc pipe", ratio=0.5),
    "fetch": Goal(against="mc cp", ratio=0.67),
}


def summary(what: str, size: int, costs: Mapping[str, Sequence[Cost]]) -> dict[str, Any]:
    """Medians, all runs, and whether the goals are met."""
    goal = GOALS[what]
    medians = {name: _median(runs) for name, runs in costs.items()}
    ours = medians[OURS]
    ratio = ours.seconds / medians[goal.against].seconds
    peak = max(cost.peak_rss_mib for cost in costs[OURS])
    return {
        "benchmark": what,
        "sizeBytes": size,
        "medians": {
            name: {**_rounded(cost), "ratio": round(ours.seconds / cost.seconds, 3)}
            for name, cost in medians.items()
        },
        "runs": {name: [_rounded(cost) for cost in runs] for name, runs in costs.items()},
        "goals": {
            "ratio": {
                "against": goal.against,
                "atMost": goal.ratio,
                "is": round(ratio, 3),
                "met": ratio <= goal.ratio,
            },
            "peakRssMiB": {
                "atMost": MAX_RSS_MIB,
                "is": round(peak, 1),
                "met": peak <= MAX_RSS_MIB,
            },
        },
    }


def table(found: Mapping[str, Any]) -> str:
    """The summary as lines."""
    head = f"{'':16} {'seconds':>8} {'CPU s':>7} {'servers':>8} {'RSS MiB':>8} {'ours/it':>8}"
    lines = [head]
    for name, cost in found["medians"].items():
        lines.append(
            f"{name:16} {cost['seconds']:8.2f} {cost['cpuSeconds']:7.2f} "
            f"{cost['serverCpuSeconds']:8.2f} {cost['peakRssMiB']:8.0f} {cost['ratio']:8.2f}"
        )
    for name, goal in found["goals"].items():
        verdict = "met" if goal["met"] else "MISSED"
        lines.append(f"goal: {name} at most {goal['atMost']}, is {goal['is']}: {verdict}")
    return "\n".join(lines)


def _median(runs: Sequence[Cost]) -> Cost:
    return Cost(
        **{
            field.name: statistics.median(getattr(cost, field.name) for cost in runs)
            for field in dataclasses.fields(Cost)
        }
    )


def _rounded(cost: Cost) -> dict[str, float]:
    return {
        "seconds": round(cost.seconds, 3),
        "cpuSeconds": round(cost.cpu_seconds, 3),
        "serverCpuSeconds": round(cost.server_cpu_seconds, 3),
        "peakRssMiB": round(cost.peak_rss_mib, 1),
    }
