"""Latency that admission adds: the same creates on one API server, without and with webhooks.

Also the latency for others while a tenant sends the most expensive objects that the API server
accepts (bench/hostile.py).

One `roadstead webhooks` runs as in the chart, as a separate process. API server, etcd and clients
share the machine with it.
"""

import argparse
import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench import hostile
from bench.creating import Figures, closed, open_loop, serve
from bench.scale.admitted import wait_until_called
from bench.webhook_waits import count_apart
from dev.binaries import ensure
from dev.servers.apiclient import connect, install_crds
from dev.servers.apiserver import ApiServer, running
from dev.terminal import echo
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import NAMESPACES, RESOURCECONTRACTS
from tests.support.builders.objects import make_contract
from tests.support.webhooks.registration import register
from tests.support.webhooks.tokens import dev_token
from tests.support.webhooks.webhook_process import Folder, prepare, running_webhooks

CLIENTS: Final = (1, 16)
RATE: Final = 100
GOAL_MS: Final = 10.0
"""Added at p99, at RATE requests a second."""
TOKEN_SECONDS: Final = 3600
TOTAL: Final = {"servers": 100_000, "memory": "1000Ti"}
OPEN_LOOP: Final = f"{RATE}/s"
WARM: Final = ("warm", "warm-webhooks")
MEASURED: Final = ("without", "webhooks", "totals")


def main(arguments: Sequence[str]) -> int:
    """Returns 0 if the goal is met, otherwise 1."""
    parser = argparse.ArgumentParser(prog="dev/bench admission", description=__doc__)
    parser.add_argument(
        "--requests", type=int, default=400, help="of each measurement, at most 1000"
    )
    parser.add_argument("--output", type=Path, default=Path("bench-admission.json"))
    options = parser.parse_args(arguments)
    with staged() as (server, folder, port):
        found = asyncio.run(measured(server, folder, port, options.requests))
    options.output.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))
    echo(f"written to {options.output}")
    goals = (found["goal"], found["hostile"]["goal"], found["hostile"]["ownGoal"])
    return 0 if all(goal["met"] for goal in goals) else 1


@contextlib.contextmanager
def staged() -> Iterator[tuple[ApiServer, Folder, int]]:
    """An API server, and webhooks on a port that it doesn't call yet."""
    binaries = ensure("etcd", "kube-apiserver")
    with tempfile.TemporaryDirectory(prefix="roadstead-bench-") as name:
        (Path(name) / "webhooks").mkdir()
        with running(binaries, Path(name)) as server:
            asyncio.run(install_crds(server))
            folder = prepare(Path(name) / "webhooks")
            quiet = {"ROADSTEAD_LOG_LEVEL": "warning"}
            with running_webhooks(server, folder, name="a", **quiet) as webhooks:
                yield server, folder, webhooks.port


async def measured(server: ApiServer, folder: Folder, port: int, count: int) -> dict[str, Any]:
    """All figures: without webhooks, with them, and with them and reserved totals."""
    async with _connected(server) as kube:
        await _prepare(kube)
        token = dev_token(folder, exp=int(time.time()) + TOKEN_SECONDS)
        await _all(kube, "warm", token, count)
        without = await _all(kube, "without", token, count)
        attacks = hostile.attacks(token)
        await hostile.prepare(server)
        alone = await hostile.measure_during(kube, server, attacks, token, count)
        async with connect(server) as api:
            await register(api, port, folder)
            await count_apart(api, hostile.OTHERS)
        await wait_until_called(kube, serve(hostile.OTHERS))
        await _all(kube, "warm-webhooks", token, count)
        figures = {
            "without": without,
            "webhooks": await _all(kube, "webhooks", token, count),
            "webhooks, totals reserved": await _all(kube, "totals", token, count),
        }
        beside = await hostile.measure_during(kube, server, attacks, token, count)
    added = figures["webhooks"][OPEN_LOOP]["p99"] - without[OPEN_LOOP]["p99"]
    goal = {"addedP99Ms": round(added, 2), "atMost": GOAL_MS, "met": added <= GOAL_MS}
    return {
        "benchmark": "admission",
        "milliseconds": figures,
        "goal": goal,
        "hostile": hostile.summary(alone, beside),
    }


@contextlib.asynccontextmanager
async def _connected(server: ApiServer) -> AsyncIterator[KubeClient]:
    kube = await KubeClient.connect(str(server.kubeconfig), connections=64)
    try:
        yield kube
    finally:
        await kube.close()


async def _prepare(kube: KubeClient) -> None:
    """Create a namespace and a contract for each load, and those of the attacks.

    A contract without a total allows 1,000 servers and reserves nothing, so no load shares one.
    """
    for name in (*WARM, *MEASURED):
        for load in (*map(str, CLIENTS), "open"):
            await _agree(kube, f"{name}-{load}", TOTAL if name == "totals" else {})
    for name in (hostile.OTHERS, hostile.NAMESPACE):
        await _agree(kube, name, {"servers": TOTAL["servers"]})


async def _agree(kube: KubeClient, name: str, total: Mapping[str, Any]) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await kube.create(NAMESPACES, body)
    spec = {"total": dict(total)} if total else {}
    contract = make_contract(name=name, namespaces={"names": [name]}, **spec)
    await kube.create(RESOURCECONTRACTS, contract)


async def _all(kube: KubeClient, name: str, token: str, count: int) -> dict[str, Figures]:
    found = {
        f"{clients} clients": await closed(kube, f"{name}-{clients}", token, clients, count)
        for clients in CLIENTS
    }
    return {**found, OPEN_LOOP: await open_loop(kube, f"{name}-open", token, count, rate=RATE)}


def table(found: dict[str, Any]) -> str:
    """The figures as lines, with the latency that the webhooks add."""
    figures = found["milliseconds"]
    lines = [
        f"{'':28}{'':12} {'p50 ms':>8} {'p99 ms':>8} {'added p50':>10} {'added p99':>10} {'/s':>8}"
    ]
    for name, loads in figures.items():
        for load, value in loads.items():
            base = figures["without"][load]
            added = [value[part] - base[part] for part in ("p50", "p99")]
            lines.append(
                f"{name:28}{load:12} {value['p50']:8.1f} {value['p99']:8.1f} "
                f"{added[0]:10.1f} {added[1]:10.1f} {value['perSecond']:8.0f}"
            )
    goal = found["goal"]
    verdict = "met" if goal["met"] else "MISSED"
    lines.append(
        f"goal: p99 within {goal['atMost']} ms at {RATE}/s, is {goal['addedP99Ms']}: {verdict}"
    )
    return "\n".join((*lines, "", *hostile.table(found["hostile"])))
