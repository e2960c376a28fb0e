"""Prometheus and promtool from Debian's package; a Prometheus with given scrape targets.

The package is unpacked, not installed: installed, it would start a Prometheus on the machine.
"""

import contextlib
import functools
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev import debian
from dev.errors import DevError
from dev.servers import process
from dev.servers.process import answers, free_port

START_SECONDS = 120.0
SCRAPE_SECONDS = 1


def promtool() -> Path:
    """The program that checks rules and metrics."""
    return debian.unpack("prometheus") / "usr" / "bin" / "promtool"


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def over(self, query: str, seconds: float) -> list[dict[str, Any]]:
        """The series of an expression in the last `seconds`, with a value each second.

        Raises DevError with Prometheus' error message.
        """
        now = time.time()
        parameters = {"query": query, "start": now - seconds, "end": now, "step": 1}
        url = f"{self.url}/api/v1/query_range?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310 - our own, http
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise DevError(f"{query}\n{error.read().decode()}") from None
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def alerts(self) -> set[str]:
        """Names of the alerting rules that were evaluated without an error."""
        with urllib.request.urlopen(f"{self.url}/api/v1/rules", timeout=30) as response:  # noqa: S310 - as below
            groups = json.load(response)["data"]["groups"]
        return {r["name"] for group in groups for r in group["rules"] if r["health"] == "ok"}


@contextlib.contextmanager
def running(
    folder: Path, jobs: Sequence[Mapping[str, Any]], rules: Sequence[Path] = ()
) -> Iterator[Prometheus]:
    """Start a Prometheus with these scrape configurations; data and log are in `folder`."""
    config = folder / "prometheus.yml"
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": "1s"},
                "rule_files": [str(path) for path in rules],
                "scrape_configs": list(jobs),
            }
        )
    )
    port = free_port()
    program = debian.unpack("prometheus") / "usr" / "bin" / "prometheus"
    command = [
        str(program),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    log = folder / "prometheus.log"
    url = f"http://127.0.0.1:{port}"
    ready = functools.partial(answers, f"{url}/-/ready")
    with process.running("Prometheus", command, log, ready, seconds=START_SECONDS, cwd=folder):
        yield Prometheus(url=url)
