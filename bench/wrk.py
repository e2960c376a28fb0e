"""The load generator wrk and its output."""

import dataclasses
import re
import subprocess
from collections.abc import Mapping, Sequence

from dev import debian
from dev.errors import DevError

WARM_SECONDS = 1
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Load:
    """Connections that each send the next request once the last is answered."""

    connections: int
    seconds: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rate:
    """Requests per second, and milliseconds until the answer."""

    per_second: float
    p50: float
    p99: float


def measure(url: str, load: Load, headers: Mapping[str, str], *, core: int | None = None) -> Rate:
    """Send requests to a URL. Raises DevError if an answer is not a 2xx or 3xx.

    `core` is the processor that wrk is pinned to.
    """
    debian.ensure("wrk")
    pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
    sizes = ["-t1", f"-c{load.connections}", f"-d{load.seconds}s", "--timeout", "10s", "--latency"]
    sent = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = [*pinned, "wrk", *sizes, *sent, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DevError(f"wrk failed at {url}: {(done.stderr or done.stdout).strip()}")
    return parse(done.stdout, url)


def by_connections(
    url: str, connections: Sequence[int], seconds: int, headers: Mapping[str, str]
) -> dict[str, Rate]:
    """The rate for each number of connections, after a second to warm up; keyed by that number."""
    rates = {}
    for count in connections:
        measure(url, Load(connections=count, seconds=WARM_SECONDS), headers)
        load = Load(connections=count, seconds=seconds)
        rates[str(count)] = measure(url, load, headers)
    return rates


def parse(text: str, url: str) -> Rate:
    """Parse the output of wrk 4 with --latency."""
    if failed := re.search(r"Non-2xx or 3xx responses: (\d+)", text):
        raise DevError(f"{url} refused {failed[1]} requests:\n{text}")
    return Rate(
        per_second=float(_found(r"Requests/sec:\s+([0-9.]+)", text)[1]),
        p50=_milliseconds(50, text),
        p99=_milliseconds(99, text),
    )


def _milliseconds(percent: int, text: str) -> float:
    found = _found(rf"^\s+{percent}%\s+([0-9.]+)(us|ms|s|m)$", text)
    return round(float(found[1]) * _MILLISECONDS[found[2]], 3)


def _found(pattern: str, text: str) -> re.Match[str]:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise DevError(f"wrk's output lacks {pattern}:\n{text}")
    return found
