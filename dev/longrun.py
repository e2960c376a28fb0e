"""Long commands: their output goes to a log, their progress to the terminal."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dev import terminal
from dev.terminal import minutes

PROGRESS_SECONDS = 15.0
REPORT_SECONDS = 1.0
"""Where several commands run side by side, one line shows them all; it must be up to date."""

Progress = Callable[[Sequence[str]], str]
"""How far the command is, from the log's lines so far."""


def run(
    command: Sequence[str],
    log: Path,
    progress: Progress,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> int:
    """Run `command` and append its output to `log`; its exit code.

    Every 15 s the terminal shows how long it has run and what `progress` makes of the log. The
    command does not outlive an interruption.
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
