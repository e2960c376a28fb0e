"""`python -m dev.checks.suite [check|test]`: the checks and tests, and a table of what they took.

Commands of one stage run side by side, stages one after the other; the first stage that fails ends
the run. A command's output is printed when it is done, so that two never mix.
"""

import dataclasses
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dev.terminal import minutes, say

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PYTEST = (sys.executable, "-m", "pytest", "-q")

_OUTCOME = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
    """One command; `shown` prints its output while it runs."""

    name: str
    argv: Sequence[str]
    shown: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """How a command ended."""

    name: str
    code: int
    seconds: float
    passed: int
    failed: int


Stage = Sequence[Command]

CHECK: Sequence[Stage] = (
    (
        Command(name="format", argv=(str(BIN / "ruff"), "format", "--check", "-q", ".")),
        Command(name="lint", argv=(str(BIN / "ruff"), "check", "-q", ".")),
        Command(name="types", argv=(str(BIN / "mypy"),)),
        Command(name="imports", argv=(str(BIN / "lint-imports"), "--no-logo")),
        Command(name="unit tests", argv=(*PYTEST, "tests/unit")),
    ),
)
TEST: Sequence[Stage] = (
    *CHECK,
    (Command(name="wheel", argv=(*PYTEST, "tests/wheel")),),
    (
        Command(
            name="servers",
            argv=(
                *(*PYTEST, "-n", "4", "-m", "not long"),
                *(f"tests/{each}" for each in ("adapters", "apiserver", "chart", "faults")),
            ),
            shown=True,
        ),
    ),
    (
        Command(
            name="cluster",
            argv=(*PYTEST, "-n", "3", "-m", "not long", "tests/e2e"),
            shown=True,
        ),
    ),
)


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
    yield f"{'':12} {'tests':>6} {'time':>7}"
    for each in results:
        tests = str(each.passed + each.failed) if each.passed + each.failed else ""
        wrong = "" if each.code == 0 else f"  failed (exit code {each.code})"
        yield f"{each.name:12} {tests:>6} {minutes(each.seconds):>7}{wrong}"
    yield f"{'all':12} {'':>6} {minutes(seconds):>7}"
    yield (
        f"total: {sum(each.passed for each in results)} passed, "
        f"{sum(each.failed for each in results)} failed"
    )


def counts(output: str) -> Mapping[str, int]:
    """What pytest's closing line counts, by outcome; empty for other programs."""
    lines = [line for line in output.splitlines() if re.search(r" in [\d.]+s", line)]
    found = _OUTCOME.findall(lines[-1]) if lines else []
    return {outcome.rstrip("s"): int(number) for number, outcome in found}


def _side_by_side(stage: Stage) -> list[Result]:
    results: dict[str, Result] = {}
    printing = threading.Lock()

    def one(command: Command) -> None:
        started = time.monotonic()
        code, output = _output(command)
        counted = counts(output)
        with printing:
            if not command.shown and output.strip():
                print(f"--- {command.name}\n{output.rstrip()}", flush=True)
        results[command.name] = Result(
            name=command.name,
            code=code,
            seconds=time.monotonic() - started,
            passed=counted.get("passed", 0),
            failed=counted.get("failed", 0) + counted.get("error", 0),
        )

    threads = [threading.Thread(target=one, args=(command,)) for command in stage]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[command.name] for command in stage]


def _output(command: Command) -> tuple[int, str]:
    """Its exit code and its output, which is printed at once where it is to be shown."""
    process = subprocess.Popen(
        command.argv,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    with process:
        for line in process.stdout or ():
            lines.append(line)
            if command.shown:
                print(line, end="", flush=True)
    return process.returncode, "".join(lines)


def main(arguments: Sequence[str]) -> int:
    """`check` or `test`."""
    stages = {"check": CHECK, "test": TEST}
    if len(arguments) != 1 or arguments[0] not in stages:
        say(f"usage: python -m dev.checks.suite {'|'.join(stages)}")
        return 2
    return run(stages[arguments[0]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
