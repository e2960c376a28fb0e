"""The cost of many ModelServes, and of a bare client that only creates the same objects.

Each has its own API server; they alternate. There is no kubelet, so no server runs (as if each
node were cordoned), and no controller: before the restart, the benchmark itself sets the status of
all to ready. The one Model is in a real store.
"""

import argparse
import asyncio
import contextlib
import datetime
import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.scale import admitted, counting, phases, report
from bench.scale.load import Arrivals, ask, bare, clear, make, namespace
from bench.scale.phases import Side
from bench.scale.refusal import REFUSED, refuse
from bench.scale.stand import OperatorProcess, Stage, operating, staged, stored_model
from dev.servers.apiserver import ApiServer
from dev.terminal import echo
from roadstead.kube.kube_client import KubeClient
from tests.support.audit import writes

WARM: Final = 30
ONES: Final = 40
ADMIN: Final = "admin"
"""The user of the operator's writes; no other client writes at rest."""
ADMITTED: Final = 500
"""Maximum number of servers for the measurement of webhooks."""


def main(arguments: Sequence[str]) -> int:
    """Returns 0 if the goals are met, otherwise 1."""
    parser = argparse.ArgumentParser(prog="dev/bench reconcile", description=__doc__)
    parser.add_argument("--serves", type=int, default=500)
    parser.add_argument("--rounds", type=int, help="bursts of each; default: 3, 1 from 2000 on")
    parser.add_argument("--rest", type=int, default=600, help="seconds at rest")
    parser.add_argument("--failing", type=float, default=0, help="instead: share of failing ones")
    parser.add_argument("--output", type=Path, default=Path("bench-reconcile.json"))
    options = parser.parse_args(arguments)
    rounds = options.rounds or (3 if options.serves < 2000 else 1)
    with staged() as stage:
        if options.failing:
            found = asyncio.run(failing(stage, options.serves, rounds, options.failing))
        else:
            found = asyncio.run(measured(stage, options.serves, rounds, options.rest))
    options.output.write_text(json.dumps(found, indent=2) + "\n")
    print(report.failing_table(found) if options.failing else report.table(found))
    echo(f"written to {options.output}")
    return 0 if all(goal["met"] for goal in found["goals"].values()) else 1


@contextlib.asynccontextmanager
async def side(server: ApiServer) -> AsyncIterator[Side]:
    """Clients of one of the API servers."""
    kube = await KubeClient.connect(str(server.kubeconfig))
    try:
        async with bare(server) as client, Arrivals(kube).watching() as arrivals:
            yield Side(client=client, kube=kube, arrivals=arrivals, pid=server.process.pid)
    finally:
        await kube.close()


async def measured(stage: Stage, serves: int, rounds: int, rest: int) -> dict[str, Any]:
    """All figures."""
    found: dict[str, Any] = {"benchmark": "reconcile", "serves": serves, "rest": {"seconds": rest}}
    async with side(stage.bare) as floor, side(stage.operated) as ours:
        async with operating(stage) as operator:
            await _live(stage, floor, ours, operator, (serves, rounds), found)
        echo("restarting the operator")
        async with operating(stage) as operator:
            found["restart"] = await _restarted(ours, operator)
            echo(f"{rest} s at rest")
            found["rest"] |= await _rested(ours, operator, stage.operated.audit, rest)
    found["goals"] = report.goals(found)
    return found


async def _live(
    stage: Stage,
    floor: Side,
    ours: Side,
    operator: OperatorProcess,
    size: tuple[int, int],
    found: dict[str, Any],
) -> None:
    serves, rounds = size
    made = phases.templates(stage, await stored_model(ours.kube))
    for each in (floor, ours):
        await namespace(each.kube, "warm")
        await namespace(each.kube, "ones")
    warm, _ = phases.names("warm", WARM)
    await phases.bare_burst(floor, made, warm)
    await phases.burst(ours, operator, warm, until=warm)
    found["floor"], found["operator"] = [], []
    for number in range(rounds):
        place = f"burst-{number}"
        asked, _ = phases.names(place, serves)
        for each in (floor, ours):
            await namespace(each.kube, place)
        echo(f"burst {number + 1} of {rounds}: {serves} ModelServes")
        counted, late = await phases.requests(ours), await phases.lag(ours, operator)
        for who in (0, 1) if number % 2 else (1, 0):
            if who:
                found["floor"].append(await phases.bare_burst(floor, made, asked))
            else:
                found["operator"].append(await phases.burst(ours, operator, asked, until=asked))
        found["requests"] = _per_serve(await phases.requests(ours) - counted, serves)
        found["lag"] = _lags(counting.since(late, await phases.lag(ours, operator)))
        found["lost"] = await phases.missing_children(ours, place, serves)
        if number < rounds - 1:
            await clear(floor.client, place)
            await clear(ours.client, place)
            await operator.quiet()
    echo("a burst that webhooks allow")
    found["webhooks"] = await admitted.burst(stage, ours, operator, min(serves, ADMITTED))
    echo(f"one at a time, {ONES} of each")
    found["oneAtATime"] = dict(
        zip(
            ("floor", "operator"),
            await phases.one_at_a_time(
                [
                    (floor, lambda s, name: make(s.client, phases.modelserve, made, name)),
                    (ours, lambda s, name: ask(s.client, phases.modelserve, name)),
                ],
                "ones",
                ONES,
            ),
            strict=True,
        )
    )
    echo("setting all servers ready")
    await phases.set_all_ready(ours, asked)
    await operator.quiet()
    found["peakRssMiB"] = operator.peak_rss_mib()


async def failing(stage: Stage, serves: int, rounds: int, share: float) -> dict[str, Any]:
    """The same servers, once with all of them served, once with a share refused permanently.

    Measured is the time until the others exist, which are the same ones in both.
    """
    runs: dict[str, list[float]] = {"all served": [], "some refused": []}
    async with side(stage.operated) as ours, operating(stage) as operator:
        await stored_model(ours.kube)
        for number in range(-1, 2 * rounds):
            refusing = number % 2 == 0
            place = f"{REFUSED if refusing else 'served'}-{number + 1}"
            await namespace(ours.kube, place)
            if refusing:
                await refuse(ours.client, place)
            others, refused = phases.names(place, serves, share, refused=refusing)
            asked = sorted((*others, *refused), key=lambda name: name[1].rpartition("-")[2])
            spent = await phases.burst(ours, operator, asked, until=others)
            if number >= 0:  # The first one warms everything.
                runs["some refused" if refusing else "all served"].append(spent["seconds"])
            await clear(ours.client, place)
            await operator.quiet()
    return {
        "benchmark": "reconcile",
        "serves": serves,
        "failing": share,
        "seconds": runs,
        "goals": report.failing_goals(runs),
    }


def _per_serve(counted: counting.Requests, serves: int) -> dict[str, float]:
    return {f"{verb} {what}": number / serves for (verb, what), number in counted.items()}


def _lags(late: counting.Buckets) -> dict[str, float]:
    return {"p50": counting.quantile(late, 0.5), "p99": counting.quantile(late, 0.99)}


async def _restarted(ours: Side, operator: OperatorProcess) -> dict[str, float]:
    before = await phases.requests(ours)
    quiet = await operator.quiet(timeout=900)
    counted = await phases.requests(ours) - before
    return {
        "readySeconds": operator.ready,
        "quietSeconds": quiet,
        "cpuSeconds": operator.cpu_seconds(),
        "writes": counting.writes(counted),
        "reads": counting.reads(counted),
        "peakRssMiB": operator.peak_rss_mib(),
    }


async def _rested(
    ours: Side, operator: OperatorProcess, audit: Path, seconds: int
) -> dict[str, float]:
    """Writes are those in the audit log, which leaves out the API server's own."""
    before, late = await phases.requests(ours), await phases.lag(ours, operator)
    cpu, started = operator.cpu_seconds(), time.perf_counter()
    begun = datetime.datetime.now(datetime.UTC)
    await asyncio.sleep(seconds)
    counted = await phases.requests(ours) - before
    lasted = time.perf_counter() - started
    for (verb, what), number in counting.writing_requests(counted).items():
        echo(f"  written at rest, by any client: {verb} {what}, {number} times")
    written = [write for write in writes(audit, {ADMIN}) if write.at >= begun]
    for write in written:
        echo(f"  written at rest, by the operator: {write.verb} {write.path}: {write.code}")
    return {
        "writes": len(written),
        "reads": counting.reads(counted),
        "cpuPercent": 100 * (operator.cpu_seconds() - cpu) / lasted,
        "lagP99": _lags(counting.since(late, await phases.lag(ours, operator)))["p99"],
        "peakRssMiB": operator.peak_rss_mib(),
    }
