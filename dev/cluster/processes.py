"""The cluster's processes: started, recorded, found, terminated.

A pid file has only the pid, as people expect. A file beside it distinguishes the process from a
later one with the same pid: its start time, in clock ticks since boot, and the boot ID.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dev.cluster import cgroups
from dev.cluster.layout import Layout
from dev.cluster.shell import environment
from dev.errors import DevError, StepTimeout
from dev.terminal import tail

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process that can't be confused with another one."""

    pid: int
    started: int
    """Clock ticks after boot, field 22 of /proc/PID/stat (proc(5))."""
    boot: str


def boot_id() -> str:
    return BOOT_ID.read_text().strip()


def start_ticks(stat: str) -> int | None:
    """Field 22 of a /proc/PID/stat line; None for a zombie. Field 2, the name, is arbitrary.

    >>> start_ticks("7 (a) b) S 1 " + "0 " * 17 + "4242 0")
    4242
    """
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def _start_ticks_of(pid: int) -> int | None:
    try:
        return start_ticks(Path(f"/proc/{pid}/stat").read_text())
    except OSError:
        return None


def is_alive(process: Process) -> bool:
    """Whether exactly this process still runs, not another one with its pid."""
    return process.boot == boot_id() and _start_ticks_of(process.pid) == process.started


def write_record(folder: Path, name: str, process: Process) -> None:
    """Write the pid file last: once it exists, the record is complete."""
    (folder / f"{name}.started").write_text(f"{process.started} {process.boot}\n")
    (folder / f"{name}.pid").write_text(f"{process.pid}\n")


def read_record(folder: Path, name: str) -> Process | None:
    """None if there is no complete record."""
    try:
        pid = int((folder / f"{name}.pid").read_text())
        started, boot = (folder / f"{name}.started").read_text().split()
        return Process(pid=pid, started=int(started), boot=boot)
    except (OSError, ValueError):
        return None


def recorded(folder: Path) -> dict[str, Process]:
    """All processes with a record in the folder, by name."""
    found = {path.stem: read_record(folder, path.stem) for path in sorted(folder.glob("*.pid"))}
    return {name: process for name, process in found.items() if process is not None}


def remove_records(folder: Path) -> None:
    for path in [*folder.glob("*.pid"), *folder.glob("*.started")]:
        path.unlink(missing_ok=True)


_OUTLIVING: Final[list["subprocess.Popen[bytes]"]] = []
"""Prevents Python's warning about processes that are meant to outlive this one."""


def start(layout: Layout, name: str, argv: Sequence[str]) -> Process:
    """Start a process in its own session and in the cluster's cgroup.

    The shell that joins the cgroup becomes the program, so its child processes are in the cgroup
    too, and are found there even if all records are lost.
    """
    with (layout.log / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(
            ["/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"', cgroups.system_procs(), *argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=layout.state,
            env=environment(),
        )
    _OUTLIVING.append(child)
    ticks = _start_ticks_of(child.pid)
    if ticks is None:
        raise DevError(f"{name} exited at once:\n{tail(layout.log / f'{name}.log')}")
    process = Process(pid=child.pid, started=ticks, boot=boot_id())
    write_record(layout.run, name, process)
    return process


def wait_until(
    what: str, ready: Callable[[], bool], *, seconds: float, layout: Layout, name: str
) -> None:
    """Wait for `ready`; StepTimeout (at once if `name` exits) has the end of its log."""
    log = layout.log / f"{name}.log"
    deadline = time.monotonic() + seconds
    while not ready():
        process = read_record(layout.run, name)
        if process is None or not is_alive(process):
            raise StepTimeout(f"{what}: {name} exited. The end of {log}:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise StepTimeout(f"{what}: not within {seconds:.0f} s. The end of {log}:\n{tail(log)}")
        time.sleep(0.1)


def terminate(processes: Iterable[Process], *, grace_seconds: float) -> None:
    """Send SIGTERM to those that are alive, SIGKILL to the rest after the grace period."""
    alive = [each for each in processes if is_alive(each)]
    for each in alive:
        _signal(each, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while (alive := _still_running(alive)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for each in alive:
        _signal(each, signal.SIGKILL)


def _still_running(processes: Iterable[Process]) -> list[Process]:
    """Those that still run; our own child processes are reaped."""
    left = []
    for each in processes:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(each.pid, os.WNOHANG)
        if is_alive(each):
            left.append(each)
    return left


def _signal(process: Process, number: signal.Signals) -> None:
    if is_alive(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def command(program: Path, settings: Mapping[str, str | Path]) -> list[str]:
    """The program with `{"bind-address": "127.0.0.1"}` as `--bind-address=127.0.0.1`."""
    return [str(program), *(f"--{name}={value}" for name, value in settings.items())]
