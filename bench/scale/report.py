"""The results of a run: a table for people, and the goals. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

OVER_FLOOR: Final = 1.5
ADDED_MS: Final = 12.0
RSS_MIB: Final = 400.0
LAG_SECONDS: Final = 0.1
WEBHOOKS_MS: Final = 50.0

SLOWER: Final = 1.1
"""Factor by which failing servers may slow down the others."""

Found = Mapping[str, Any]


def goals(found: Found) -> dict[str, Any]:
    """Each goal, the measured value, and whether it meets the goal."""
    floor, ours = median(found["floor"], "seconds"), median(found["operator"], "seconds")
    ones = found["oneAtATime"]
    peak = max(found["peakRssMiB"], *(found[each]["peakRssMiB"] for each in ("restart", "rest")))
    return {
        "times the floor": _goal(OVER_FLOOR, ours / floor),
        "ms over the floor, one at a time, p50": _goal(
            ADDED_MS, ones["operator"]["p50"] - ones["floor"]["p50"]
        ),
        "children missing": _goal(0, found["lost"]),
        "MiB of memory": _goal(RSS_MIB, peak),
        "s of loop lag, p99, in the burst": _goal(LAG_SECONDS, found["lag"]["p99"]),
        "ms that the API server waits for its webhooks, p99": _goal(
            WEBHOOKS_MS, found["webhooks"]["p99"]
        ),
        "writes after a restart": _goal(0, found["restart"]["writes"]),
        "writes at rest": _goal(0, found["rest"]["writes"]),
    }


def _goal(most: float, found: float) -> dict[str, Any]:
    return {"atMost": most, "is": round(found, 3), "met": found <= most}


def median(runs: Sequence[Mapping[str, float]], what: str) -> float:
    """The median of one figure over several runs."""
    return statistics.median(run[what] for run in runs)


def table(found: Found) -> str:
    """The figures as lines, with the goals."""
    lines = [
        f"{found['serves']} ModelServes",
        *_bursts(found),
        *_ones(found["oneAtATime"]),
        *_requests(found["requests"]),
        *_webhooks(found["webhooks"]),
        *_after(found),
    ]
    return "\n".join((*lines, *_goal_lines(found["goals"])))


def _bursts(found: Found) -> list[str]:
    lines = [f"{'burst':14} {'seconds':>8} {'CPU s':>7} {'API server':>10} {'each run':>10}"]
    for who in ("floor", "operator"):
        runs = found[who]
        own = f"{median(runs, 'cpuSeconds'):7.2f}" if who == "operator" else f"{'':7}"
        each = " ".join(f"{run['seconds']:.2f}" for run in runs)
        server = median(runs, "serverCpuSeconds")
        lines.append(f"{who:14} {median(runs, 'seconds'):8.2f} {own} {server:10.2f}   {each}")
    return lines


def _ones(found: Found) -> list[str]:
    lines = [f"{'one at a time':14} {'p50 ms':>8} {'p95 ms':>7}"]
    for who, figures in found.items():
        lines.append(f"{who:14} {figures['p50']:8.1f} {figures['p95']:7.1f}")
    return lines


def _requests(found: Mapping[str, float]) -> list[str]:
    shown = {what: each for what, each in sorted(found.items()) if each >= 0.01}
    return ["requests for each", *(f"  {what:28} {each:6.2f}" for what, each in shown.items())]


def _webhooks(found: Mapping[str, float]) -> list[str]:
    return [
        f"{found['calls']:.0f} calls of webhooks in a burst of {found['seconds']:.1f} s: "
        f"p50 {found['p50']:.1f} ms, p99 {found['p99']:.1f} ms"
    ]


def _after(found: Found) -> list[str]:
    restart, rest, lag = found["restart"], found["rest"], found["lag"]
    return [
        f"loop lag in the burst: p50 {lag['p50']:.3f} s, p99 {lag['p99']:.3f} s; "
        f"peak of memory {found['peakRssMiB']:.0f} MiB",
        f"restart: ready after {restart['readySeconds']:.1f} s, quiet after "
        f"{restart['quietSeconds']:.1f} s, {restart['cpuSeconds']:.1f} s of CPU, "
        f"{restart['reads']:.0f} reads, {restart['writes']:.0f} writes, "
        f"{restart['peakRssMiB']:.0f} MiB",
        f"{rest['seconds']} s at rest: {rest['cpuPercent']:.1f}% of a core, "
        f"{rest['reads']:.0f} reads, {rest['writes']:.0f} writes, loop lag p99 "
        f"{rest['lagP99']:.3f} s, {rest['peakRssMiB']:.0f} MiB",
    ]


def failing_goals(runs: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Whether the others exist as soon as without refused ones."""
    ratio = statistics.median(runs["some refused"]) / statistics.median(runs["all served"])
    return {"times as long with some refused": _goal(SLOWER, ratio)}


def failing_table(found: Found) -> str:
    """The figures as lines, with the goal."""
    others = round(found["serves"] * (1 - found["failing"]))
    lines = [f"{others} of {found['serves']} ModelServes, until all their children exist"]
    for name, runs in found["seconds"].items():
        each = " ".join(f"{run:.2f}" for run in runs)
        lines.append(f"{name:14} {statistics.median(runs):8.2f} s   {each}")
    return "\n".join((*lines, *_goal_lines(found["goals"])))


def _goal_lines(goals: Mapping[str, Any]) -> list[str]:
    return [
        f"goal: at most {goal['atMost']:g} {name}, is {goal['is']:g}: "
        f"{'met' if goal['met'] else 'MISSED'}"
        for name, goal in goals.items()
    ]
