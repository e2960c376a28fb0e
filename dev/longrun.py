"""Long commands: the output is written to a log, the progress to the terminal."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dev import terminal
from dev.terminal import minutes

PROGRESS_SECONDS = 15.0
REPORT_SECONDS = 1.0
"""When several commands run side by side, one line shows them all and must be current."""

Progress = Callable[[Sequence[str]], str]
"""Progress of a command, from the log's lines so far."""


def run(
    command: Sequence[str],
    log: Path,
    progress: Progress,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> int:
    """Run `command`, append its output to `log`, and return its exit code.

    Every 15 s the terminal shows the elapsed time and the result of `progress`. The command is
    terminated if this process is interrupted.
    """
    with log.open("ab") as stream:
        stream.write(f"{list(command)}\n".encode())
        stream.flush()
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=stream, stderr=stream)
        try:
            return _follow(process, log, progress)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def _follow(process: "subprocess.Popen[bytes]", log: Path, progress: Progress) -> int:
    started = time.monotonic()
    together = terminal.is_reported()
    while True:
        try:
            return process.wait(timeout=REPORT_SECONDS if together else PROGRESS_SECONDS)
        except subprocess.TimeoutExpired:
            detail = progress(log.read_text(errors="replace").splitlines())
            elapsed = minutes(time.monotonic() - started)
            terminal.report(detail if together else f"{elapsed}: {detail}")
