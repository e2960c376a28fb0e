"""Commands that run side by side, and a table of what they took.

A command's output is printed when it is done, so that two never mix; meanwhile a line a minute
shows how far each one is.
"""

import dataclasses
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from dev.terminal import minutes, say

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
    """Called when it ends; others of its stage may still run."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """How a command ended."""

    name: str
    code: int
    seconds: float
    passed: int
    failed: int


Stage = Sequence[Command]


def run(stages: Sequence[Stage]) -> int:
    """Run the stages, print the table; the exit code."""
    started = time.monotonic()
    results: list[Result] = []
    for stage in stages:
        results += _side_by_side(stage)
        if any(each.code for each in results):
            break
    for line in table(results, time.monotonic() - started):
        say(line)
    return 1 if any(each.code for each in results) else 0


def table(results: Sequence[Result], seconds: float) -> Iterator[str]:
    """A row for each command, and a total in the form that test runners close with."""
    yield f"{'':14} {'tests':>6} {'time':>7}"
    for each in results:
        tests = str(each.passed + each.failed) if each.passed + each.failed else ""
        wrong = "" if each.code == 0 else f"  failed (exit code {each.code})"
        yield f"{each.name:14} {tests:>6} {minutes(each.seconds):>7}{wrong}"
    yield f"{'all':14} {'':>6} {minutes(seconds):>7}"
    yield (
        f"total: {sum(each.passed for each in results)} passed, "
        f"{sum(each.failed for each in results)} failed"
    )


def counts(output: str) -> Mapping[str, int]:
    """What pytest's closing line counts, by outcome; empty for other programs."""
    lines = [line for line in output.splitlines() if re.search(r" in [\d.]+s", line)]
    found = _OUTCOME.findall(lines[-1]) if lines else []
    return {outcome.rstrip("s"): int(number) for number, outcome in found}


def progress(output: str) -> str:
    """How far pytest is, by its last line of dots: `37%`; empty for other programs."""
    found = _PERCENT.findall(output)
    return found[-1] if found else ""


class _Running:
    """A command that runs, and what it has printed."""

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
        """For the line that shows how far all are; empty at the end."""
        if not self._reader.is_alive():
            return ""
        return f"{self.name} {progress(''.join(self._lines))}".strip()

    def ended(self, seconds: float) -> bool:
        """Wait so long for its end; whether it has come."""
        self._reader.join(seconds)
        return not self._reader.is_alive()

    def result(self) -> Result:
        """After it has ended: call `then`, and print its output."""
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
    """Run the commands at the same time; their results in the order in which they are listed."""
    running = [_Running(command) for command in stage]
    results: dict[str, Result] = {}
    reported = time.monotonic()
    while len(results) < len(running):
        for each in running:
            if each.name not in results and each.ended(0.2):
                results[each.name] = each.result()
        if time.monotonic() - reported >= REPORT_SECONDS:
            reported = time.monotonic()
            say(f"  running: {', '.join(each.state for each in running if each.state)}")
    return [results[command.name] for command in stage]
