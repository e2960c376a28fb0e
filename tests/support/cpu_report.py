"""`--cpu N` lists the N tests and files that use the most CPU time, servers included.

The time of a test is that of this process and its descendants, living or exited, from the end of
the test before it. So a test that starts a server for its whole file or folder has that time too,
and a server that is idle counts for the test that runs.
"""

import dataclasses
import os
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

_REPORTED: Final = "_roadstead_cpu_seconds"
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--cpu N`: nothing is measured without it."""
    parser.addoption("--cpu", type=int, metavar="N", help="list the N tests with the most CPU time")


def pytest_configure(config: pytest.Config) -> None:
    """Measure in each process that runs tests, and print in the first."""
    if config.option.cpu:
        config.pluginmanager.register(_Measuring())
        config.pluginmanager.register(_Printing())


def tree_seconds(pid: int, proc: Path = _PROC) -> float:
    """CPU seconds of a process, its descendants, and those of them that were waited for."""
    used, children = _used(pid, proc)
    return used + sum(tree_seconds(child, proc) for child in children)


def _used(pid: int, proc: Path) -> tuple[float, list[int]]:
    """CPU seconds with those of reaped children, and the living children; none if it exited."""
    try:
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        tasks = [each.read_text() for each in (proc / str(pid) / "task").glob("*/children")]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0, []
    # utime, stime, cutime and cstime: fields 14 to 17 of proc_pid_stat(5); the first here is 3.
    ticks = sum(int(each) for each in fields[11:15])
    return ticks / _TICKS, [int(child) for text in tasks for child in text.split()]


class _Measuring:
    """Adds the CPU seconds since the last report to each report."""

    def __init__(self) -> None:
        self._before = tree_seconds(os.getpid())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """After each phase: setup, call and teardown."""
        report = yield
        now = tree_seconds(os.getpid())
        # A process that nobody waits for takes its time with it.
        setattr(report, _REPORTED, max(0.0, now - self._before))
        self._before = now
        return report


@dataclasses.dataclass
class Usage:
    """CPU seconds of a test or a file: in all, and of the setup."""

    total: float = 0.0
    setup: float = 0.0
    tests: int = 0

    def add(self, when: str, seconds: float) -> None:
        """Add a phase of a test."""
        self.total += seconds
        self.setup += seconds if when == "setup" else 0.0
        self.tests += when == "setup"

    def line(self, name: str) -> str:
        """A line of the list."""
        return f"{self.total:8.1f} s, setup {self.setup:7.1f} s, {self.tests:4} tests  {name}"


class _Printing:
    """Sums the reports of all processes."""

    def __init__(self) -> None:
        self._tests: dict[str, Usage] = defaultdict(Usage)
        self._files: dict[str, Usage] = defaultdict(Usage)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a phase that was measured, here or in another process."""
        seconds = getattr(report, _REPORTED, 0.0)
        when = report.when
        self._tests[report.nodeid].add(when, seconds)
        self._files[report.nodeid.partition("::")[0]].add(when, seconds)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the two lists."""
        number = terminalreporter.config.option.cpu
        for title, usages in (("files", self._files), ("tests", self._tests)):
            terminalreporter.section(f"CPU time of {title}")
            for line in listed(usages, number):
                terminalreporter.write_line(line)


def listed(usages: Mapping[str, Usage], number: int) -> Iterator[str]:
    """The `number` lines with the most time, then the sum of all."""
    ordered = sorted(usages.items(), key=lambda item: -item[1].total)
    for name, usage in ordered[:number]:
        yield usage.line(name)
    yield Usage(
        total=sum(each.total for each in usages.values()),
        setup=sum(each.setup for each in usages.values()),
        tests=sum(each.tests for each in usages.values()),
    ).line("all")
