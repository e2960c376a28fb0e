"""The cost of the gateway: llama.cpp's /health directly, through Traefik, with forward auth.

Everything runs on this machine, including the load generator, and communicates over loopback.
Forward auth alone is measured on one core; the goals are for that.
"""

import argparse
import contextlib
import dataclasses
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench import hostgateway, verdicts, wrk
from bench.verdicts import CONNECTIONS, Stand
from dev.terminal import echo

ALONE: Final = "forward auth alone, on one core"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contender:
    """A path to the same answer."""

    name: str
    url: str
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


def main(arguments: Sequence[str]) -> int:
    """Returns 0 if the goals are met, otherwise 1."""
    parser = argparse.ArgumentParser(prog="dev/bench gateway", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    parser.add_argument("--output", type=Path, default=Path("bench-gateway.json"))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="roadstead-bench-") as folder:
        found = measured(Path(folder), options.seconds)
    options.output.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))
    echo(f"written to {options.output}")
    return 0 if all(goal["met"] for goal in found["goals"].values()) else 1


def measured(folder: Path, seconds: int) -> dict[str, Any]:
    """Each path to a server, by connections; then forward auth alone, pinned to one core."""
    (folder / "gateway").mkdir()
    rates: dict[str, Any] = {}
    with verdicts.staged(folder) as auth:
        with _contenders(folder / "gateway", auth) as contenders:
            for each in contenders:
                echo(each.name)
                found = wrk.by_connections(each.url, CONNECTIONS, seconds, each.headers)
                rates[each.name] = {key: dataclasses.asdict(rate) for key, rate in found.items()}
        echo(ALONE)
        alone = verdicts.measure(auth, seconds)
    rates[ALONE] = alone["connections"]
    return {
        "benchmark": "gateway",
        "seconds": seconds,
        "rates": rates,
        "goals": alone["goals"],
    }


@contextlib.contextmanager
def _contenders(folder: Path, auth: Stand) -> Iterator[Sequence[Contender]]:
    with hostgateway.running(
        folder, forward_auth=auth.url, server_uuid=auth.uuid, key=auth.server_key
    ) as gateway:
        yield (
            Contender(name="llama.cpp, directly", url=f"{gateway.llama}/health"),
            Contender(name="through Traefik", url=f"{gateway.traefik}/{hostgateway.OPEN}/health"),
            Contender(
                name="through Traefik, with forward auth",
                url=f"{gateway.traefik}/{auth.uuid}/health",
                headers={"Authorization": f"Bearer {auth.token}"},
            ),
        )


def table(found: Mapping[str, Any]) -> str:
    """The figures as lines, with the goals."""
    lines = [f"{'':36}{'connections':>11} {'a second':>9} {'p50 ms':>8} {'p99 ms':>8}"]
    for name, rates in found["rates"].items():
        for count, rate in rates.items():
            lines.append(
                f"{name:36}{count:>11} {rate['per_second']:9.0f} {rate['p50']:8.2f} "
                f"{rate['p99']:8.2f}"
            )
    return "\n".join((*lines, *verdicts.goal_lines(found["goals"])))
