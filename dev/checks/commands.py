"""Commands that run side by side, and a table of their results and durations.

A command's output is printed when it exits, so outputs never mix; until then, a line per minute
shows the progress of each.
"""

import dataclasses
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from dev.terminal import echo, minutes

CHECKOUT = Path(__file__).resolve().parents[2]
REPORT_SECONDS = 60.0

_PERCENT = re.compile(r"\[ *(\d+%)\]")
_OUTCOME = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
    """One command."""

    name: str
    argv: Sequence[str]
    then: Callable[[], None] | None = None
    """Called when the command exits; others of its stage may still run."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """Result of a command that has exited."""

    name: str
    code: int
    seconds: float
    passed: int
    failed: int


Stage = Sequence[Command]


def run(stages: Sequence[Stage]) -> int:
    """Run the stages, print the table and return the exit code."""
    started = time.monotonic()
    results: list[Result] = []
    for stage in stages:
        results += _side_by_side(stage)
        if any(each.code for each in results):
            break
    for line in table(results, time.monotonic() - started):
        echo(line)
    return 1 if any(each.code for each in results) else 0


def table(results: Sequence[Result], seconds: float) -> Iterator[str]:
    """A row for each command, and a total in the form of test runners' last lines."""
    yield f"{'':14} {'tests':>6} {'time':>7}"
    for each in results:
        tests = str(each.passed + each.failed) if each.passed + each.failed else ""
        failure = "" if each.code == 0 else f"  failed (exit code {each.code})"
        yield f"{each.name:14} {tests:>6} {minutes(each.seconds):>7}{failure}"
    yield f"{'all':14} {'':>6} {minutes(seconds):>7}"
    yield (
        f"total: {sum(each.passed for each in results)} passed, "
        f"{sum(each.failed for each in results)} failed"
    )


def counts(output: str) -> Mapping[str, int]:
    """The counts in pytest's last line, by outcome; empty for other programs."""
    lines = [line for line in output.splitlines() if re.search(r" in [\d.]+s", line)]
    found = _OUTCOME.findall(lines[-1]) if lines else []
    return {outcome.rstrip("s"): int(number) for number, outcome in found}


def progress(output: str) -> str:
    """Progress of pytest by its last line of dots, such as `37%`; empty for other programs."""
    found = _PERCENT.findall(output)
    return found[-1] if found else ""


class _Running:
    """A running command and its output so far."""

    def __init__(self, command: Command) -> None:
        self.name = command.name
        self._then = command.then
        self._started = time.monotonic()
        self._lines: list[str] = []
        self._process = subprocess.Popen(
            command.argv,
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with self._process:
            self._lines.extend(self._process.stdout or ())

    @property
    def state(self) -> str:
        """Name and progress for the report line; empty once the command has exited."""
        if not self._reader.is_alive():
            return ""
        return f"{self.name} {progress(''.join(self._lines))}".strip()

    def wait(self, seconds: float) -> bool:
        """Wait for the command to exit, at most `seconds`; whether it has."""
        self._reader.join(seconds)
        return not self._reader.is_alive()

    def result(self) -> Result:
        """Call `then` and print the output; only after the command has exited."""
        seconds = time.monotonic() - self._started
        if self._then is not None:
            self._then()
        output = "".join(self._lines)
        if output.strip():
            print(f"--- {self.name}\n{output.rstrip()}", flush=True)
        counted = counts(output)
        return Result(
            name=self.name,
            code=self._process.returncode,
            seconds=seconds,
            passed=counted.get("passed", 0),
            failed=counted.get("failed", 0) + counted.get("error", 0),
        )


def _side_by_side(stage: Stage) -> list[Result]:
    """Run the commands concurrently; their results are in the order of the commands."""
    running = [_Running(command) for command in stage]
    results: dict[str, Result] = {}
    reported = time.monotonic()
    while len(results) < len(running):
        for each in running:
            if each.name not in results and each.wait(0.2):
                results[each.name] = each.result()
        if time.monotonic() - reported >= REPORT_SECONDS:
            reported = time.monotonic()
            echo(f"  running: {', '.join(each.state for each in running if each.state)}")
    return [results[command.name] for command in stage]
