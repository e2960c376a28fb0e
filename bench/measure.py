"""Runs a command and measures its cost."""

import dataclasses
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of a run: seconds, CPU seconds of the command and of the servers, peak RSS."""

    seconds: float
    cpu_seconds: float
    server_cpu_seconds: float
    peak_rss_mib: float


class CommandFailed(Exception):
    """A contender failed; the message is the end of its output."""


def run(
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    servers: Sequence[int],
    stdin: bytes = b"",
    log: Path,
) -> Cost:
    """Run a command until it exits; peak RSS is that of its largest process."""
    before = sum(cpu_seconds(pid) for pid in servers)
    feed = log.with_suffix(".stdin")
    feed.write_bytes(stdin)
    started = time.perf_counter()
    with log.open("wb") as output, feed.open("rb") as source:
        process = subprocess.Popen(
            list(command), env=dict(environ), stdin=source, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    # Popen did not reap the process, and would otherwise wait for it.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        tail = log.read_text(errors="replace")[-2000:]
        raise CommandFailed(f"{command[0]} exited with {process.returncode}:\n{tail}")
    return Cost(
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        server_cpu_seconds=sum(cpu_seconds(pid) for pid in servers) - before,
        peak_rss_mib=usage.ru_maxrss / 1024,
    )


def cpu_seconds(pid: int) -> float:
    """User and system time of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
