"""Forward auth alone: verdicts per second on one core, and their latency.

`python -m bench.verdicts [--seconds 10]`. One `roadstead forward-auth` runs as in the chart, pinned
to one core, with a real API server; wrk on another core acts as the gateway. It prints a table and
writes a JSON file.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bench import wrk
from bench.wrk import Load, Rate
from dev.binaries import ensure
from dev.console.tokens import make_token
from dev.servers.apiclient import connect, install_crds
from dev.servers.apiserver import ApiServer, running
from dev.terminal import echo
from tests.support.custom_objects import call
from tests.support.forwardauth.auth_process import CHAT, KEY, prepare, running_auth
from tests.support.forwardauth.permitted_server import make_site, make_system

GOAL_PER_SECOND: Final = 4000
GOAL_P99_MS: Final = 5.0
CONNECTIONS: Final = (1, 16)
AUTH_CORE: Final = 0
WRK_CORE: Final = 1
NAMESPACE: Final = "demo"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stand:
    """A running forward auth, a server that it knows, and a token that it allows to use it."""

    url: str
    """`http://127.0.0.1:PORT`, before `/verify/<uuid>`"""
    uuid: str
    token: str = dataclasses.field(repr=False)
    server_key: str = dataclasses.field(repr=False)
    """Key in its answers, which the server accepts as its API key."""
    pid: int

    @property
    def question(self) -> Mapping[str, str]:
        """The headers of the gateway's request about a chat request with the token."""
        return {
            "Authorization": f"Bearer {self.token}",
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Host": "models.example.com",
            "X-Forwarded-Method": "POST",
            "X-Forwarded-Port": "443",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Uri": f"/{self.uuid}{CHAT}",
        }


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Stand]:
    """Start it with an API server in `folder`; stop both on exit."""
    with running(ensure("etcd", "kube-apiserver"), folder) as server:
        uuid = asyncio.run(_server_uuid(server))
        settings = prepare(folder)
        with running_auth(server, settings, name="bench", ROADSTEAD_LOG_LEVEL="info") as auth:
            yield Stand(
                url=f"http://127.0.0.1:{auth.port}",
                uuid=uuid,
                token=make_token(),
                server_key=KEY.server_key(uuid),
                pid=auth.process.pid,
            )


async def _server_uuid(server: ApiServer) -> str:
    await install_crds(server)
    await make_system(server)
    async with connect(server) as api:
        await call(api, "POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        return (await make_site(api, NAMESPACE)).uuid


def measure(auth: Stand, seconds: int) -> dict[str, Any]:
    """Figures by the number of connections, and whether the goals are met."""
    _pin(auth.pid, AUTH_CORE)
    url = f"{auth.url}/verify/{auth.uuid}"
    rates = {
        connections: wrk.measure(
            url,
            Load(connections=connections, seconds=seconds),
            auth.question,
            core=WRK_CORE,
        )
        for connections in CONNECTIONS
    }
    return summary(rates)


def _pin(pid: int, core: int) -> None:
    """Pin all threads of a process to one core."""
    command = ["taskset", "--all-tasks", "--cpu-list", "--pid", str(core), str(pid)]
    subprocess.run(command, check=True, capture_output=True)


def summary(rates: Mapping[int, Rate]) -> dict[str, Any]:
    """The figures and the goals: the rate with the most connections, the highest p99."""
    most = rates[max(rates)]
    slowest = max(rate.p99 for rate in rates.values())
    return {
        "benchmark": "verdicts",
        "cores": os.cpu_count(),
        "connections": {str(count): dataclasses.asdict(rate) for count, rate in rates.items()},
        "goals": {
            "perSecondPerCore": {
                "atLeast": GOAL_PER_SECOND,
                "is": round(most.per_second),
                "met": most.per_second >= GOAL_PER_SECOND,
            },
            "p99Ms": {
                "atMost": GOAL_P99_MS,
                "is": slowest,
                "met": slowest <= GOAL_P99_MS,
            },
        },
    }


def table(found: Mapping[str, Any]) -> str:
    """The figures as lines."""
    lines = [f"{'connections':>11} {'verdicts/s':>10} {'p50 ms':>8} {'p99 ms':>8}"]
    for count, rate in found["connections"].items():
        lines.append(
            f"{count:>11} {rate['per_second']:10.0f} {rate['p50']:8.2f} {rate['p99']:8.2f}"
        )
    return "\n".join((*lines, *goal_lines(found["goals"])))


def goal_lines(goals: Mapping[str, Any]) -> tuple[str, ...]:
    """The goals, the measured values, and whether they meet the goals."""
    rate, p99 = goals["perSecondPerCore"], goals["p99Ms"]
    return (
        f"goal: {rate['atLeast']} verdicts/s per core, is {rate['is']}: {_met(rate)}",
        f"goal: p99 within {p99['atMost']} ms, is {p99['is']}: {_met(p99)}",
    )


def _met(goal: Mapping[str, Any]) -> str:
    return "met" if goal["met"] else "MISSED"


def main() -> int:
    """Returns 0 if the goals are met, otherwise 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.verdicts", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    parser.add_argument("--output", type=Path, default=Path("bench-verdicts.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, staged(Path(folder)) as auth:
        found = measure(auth, options.seconds)
    options.output.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))
    echo(f"written to {options.output}")
    return 0 if all(goal["met"] for goal in found["goals"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
