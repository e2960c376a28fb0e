"""Server processes: start one with a log, wait until it is ready, stop it."""

import contextlib
import fcntl
import itertools
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from dev import cache
from dev.errors import StepTimeout
from dev.terminal import tail

READY_POLL_SECONDS: Final = 0.05
ANSWER_SECONDS: Final = 20.0
"""A healthy server may take this long on a loaded machine."""
STOP_SECONDS: Final = 20.0
"""From SIGTERM to SIGKILL."""
PORTS: Final = range(20_000, 30_000)
"""The kernel assigns none of these by itself: Linux starts at 32768."""


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str],
    log: Path,
    ready: Callable[[], bool],
    *,
    seconds: float,
    stop_seconds: float = STOP_SECONDS,
    graceful: bool = False,
    **options: Any,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that is ready within `seconds`; stop it on exit. `options` are `start`'s.

    Raises StepTimeout with the end of the log if it does not become ready. If it is `graceful`,
    raises it too if SIGTERM did not stop the process within `stop_seconds`.
    """
    process = start(command, log, **options)
    try:
        until_ready(name, ready, process, log, seconds=seconds)
        yield process
    finally:
        if graceful:
            stop_gracefully(name, process, log, seconds=stop_seconds)
        else:
            stop(process, stop_seconds)


def start(
    command: Sequence[str],
    log: Path,
    *,
    append: bool = False,
    bound: bool = False,
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Start a process that writes to `log`; `options` are those of Popen.

    If it is `bound`, the kernel kills it once the thread that started it has exited.
    """
    bind = ("setpriv", "--pdeathsig", "KILL") if bound else ()
    with log.open("ab" if append else "wb") as output:
        return subprocess.Popen(
            [*bind, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **options,
        )


def stop(process: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> bool:
    """Send SIGTERM, and SIGKILL after `seconds`; whether it exited without SIGKILL."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def stop_gracefully(
    name: str, process: subprocess.Popen[bytes], log: Path, *, seconds: float
) -> None:
    """Stop it. Raises StepTimeout with the end of the log if SIGTERM alone did not."""
    if not stop(process, seconds):
        raise StepTimeout(
            f"{name} did not exit within {seconds:g} s of SIGTERM. The end of {log}:\n{tail(log)}"
        )


def until_ready(
    name: str,
    ready: Callable[[], bool],
    process: subprocess.Popen[bytes],
    log: Path,
    *,
    seconds: float,
) -> None:
    """Wait for `ready`; StepTimeout (at once if the process exits) has the end of its log."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if ready():
            return
        time.sleep(READY_POLL_SECONDS)
    raise StepTimeout(f"{name} did not become ready. The end of {log}:\n{tail(log)}")


def answers(url: str) -> bool:
    """Whether a GET returns 200."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except OSError:
        return False


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Different TCP ports of 127.0.0.1 that nothing listens on.

    Processes of this user share a counter: a port is reused only after all of PORTS, so a server
    has time to start, and to restart, before another one could use its port.
    """
    path = cache.root() / "next-port"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        first = int(file.read() or 0) % len(PORTS)
        turn = itertools.chain(PORTS[first:], PORTS[:first])
        found = list(itertools.islice(filter(_is_free, turn), count))
        file.truncate(0)
        file.write(str(PORTS.index(found[-1]) + 1))
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
