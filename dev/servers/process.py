"""Waiting for a server that was started here."""

import contextlib
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dev.errors import StepTimeout
from dev.terminal import tail

STEP: Final = 0.05


def until_ready(
    name: str,
    ready: Callable[[], bool],
    process: subprocess.Popen[bytes],
    log: Path,
    *,
    seconds: float,
) -> None:
    """Wait for `ready`; StepTimeout (at once if the process has ended) holds its log's end."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if ready():
            return
        time.sleep(STEP)
    raise StepTimeout(f"{name} did not come up. The end of {log}:\n{tail(log)}")


def answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except OSError:
        return False


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Different TCP ports of 127.0.0.1 that nothing listens on."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]
