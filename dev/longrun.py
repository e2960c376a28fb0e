"""Long commands: their output into a log, their progress onto the terminal."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dev.terminal import minutes, say

PROGRESS_SECONDS = 15.0

Told = Callable[[Sequence[str]], str]
"""What to say of how far it is, from the log's lines so far."""


def run(
    command: Sequence[str],
    log: Path,
    told: Told,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> int:
    """Run `command` with its output at the end of `log`; its exit code.

    Every 15 s the terminal is told how long it has been and what `told` makes of the log. It does
    not outlive an interruption.
    """
    with log.open("ab") as stream:
        stream.write(f"{list(command)}\n".encode())
        stream.flush()
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=stream, stderr=stream)
        try:
            return _follow(process, log, told)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def _follow(process: "subprocess.Popen[bytes]", log: Path, told: Told) -> int:
    started = time.monotonic()
    while True:
        try:
            return process.wait(timeout=PROGRESS_SECONDS)
        except subprocess.TimeoutExpired:
            lines = log.read_text(errors="replace").splitlines()
            say(f"  {minutes(time.monotonic() - started)}: {told(lines)}")
