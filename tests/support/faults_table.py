"""The table of faults that `make faults` prints: a pytest plugin for all tiers.

The test of a fault has the mark `fault("R7", heals="what recovers, as users see it")`; with the
fixture `healing` it can report how long that took.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import pytest

FAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "R1": "the operator is killed after any of its writes",
        "R2": "a transfer is killed at any offset",
        "R3": "the leader is killed, or replaced by a rollout",
        "R4": "the leader is stopped for a minute, and continues",
        "R5": "the API server fails, refuses, throttles or is slow",
        "R6": "watches end at once, become silent, or are too old",
        "R7": "events are missed, duplicated or out of order; lists are stale",
        "R8": "a cold start or a burst with thousands of objects",
        "R9": "some objects fail forever",
        "R10": "the store is unavailable, slow or full, or its keys change",
        "R11": "the source expires, changes, sends wrong data or redirects",
        "R12": "the ledger's Postgres is unavailable, killed, read-only or silent",
        "R13": "the webhooks are unavailable or slow, or their certificate expires",
        "R14": "a token has expired, and objects have to be changed",
        "R15": "receipts are forged or copied, limits are exceeded",
        "R16": "children are deleted or changed by others",
        "R17": "a namespace is deleted with everything in it; removal in any order",
        "R18": "rights, quota, image or node are removed",
        "R19": "an upgrade and a rollback, with servers running",
        "R20": "the Lease is edited or deleted; clocks jump",
        "R21": "the issuer's keys are unavailable, rotated or too many",
        "R22": "headers and paths are smuggled past forward auth",
        "R23": "the event loop is blocked; memory or files run out",
        "R24": "every field has every value that its schema allows",
    }
)

_REPORTED: Final = "faults"
"""Attribute of a report that has the lines, as dicts."""
MOST_CASES: Final = 5
"""Tests with more cases than this are one line of the table."""

_HEALED = pytest.StashKey[list[float]]()

Healing = Callable[[], contextlib.AbstractContextManager[None]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
    """A test in the table."""

    fault: str
    test: str
    outcome: str
    seconds: float
    healed: float | None
    heals: str

    @property
    def row(self) -> str:
        """The line in Markdown."""
        healed = "" if self.healed is None else f"{self.healed:.1f} s"
        cells = (self.fault, f"`{self.test}`", self.outcome, f"{self.seconds:.0f} s", healed)
        return f"| {' | '.join(cells)} | {self.heals} |"


@pytest.fixture
def healing(request: pytest.FixtureRequest) -> Healing:
    """`with healing():` measures the time from the end of the fault until all has recovered."""
    taken = request.node.stash.setdefault(_HEALED, [])

    @contextlib.contextmanager
    def measured() -> Iterator[None]:
        started = time.monotonic()
        yield
        taken.append(time.monotonic() - started)

    return measured


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, as `--strict-markers` requires."""
    config.pluginmanager.register(_Collecting())
    config.addinivalue_line("markers", "fault(number, heals): a test of a fault, for the table")
    config.addinivalue_line("markers", "long: a test of a fault that only `make faults` runs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse an unknown fault."""
    for item in items:
        for mark in item.iter_markers("fault"):
            if mark.args[0] not in FAULTS:
                raise pytest.UsageError(f"{item.nodeid}: unknown fault {mark.args[0]}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add a line for each mark to the report of a test that ran or failed: another process may
    print the table.
    """
    report = yield
    if report.when == "call" or report.failed:
        setattr(report, _REPORTED, [dataclasses.asdict(line) for line in _lines(item, report)])
    return report


def _lines(item: pytest.Item, report: pytest.TestReport) -> Iterator[Line]:
    healed = item.stash.get(_HEALED, [])
    for mark in item.iter_markers("fault"):
        yield Line(
            fault=mark.args[0],
            test=item.name,
            outcome=report.outcome,
            seconds=report.duration,
            healed=max(healed, default=None),
            heals=mark.kwargs.get("heals", ""),
        )


class _Collecting:
    """Collects the lines of the reports."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the lines of a test that ran, here or in another process."""
        self._lines += [Line(**line) for line in getattr(report, _REPORTED, ())]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table, sorted by fault, if tests were selected with `-m fault`."""
        if "fault" not in terminalreporter.config.option.markexpr or not self._lines:
            return
        terminalreporter.section("faults")
        for text in table(self._lines):
            terminalreporter.write_line(text)


def table(lines: list[Line]) -> Iterator[str]:
    """The table in Markdown: a line for each test, and one for each fault without a test."""
    yield "| fault | test | outcome | took | recovered in | what recovers |"
    yield "|---|---|---|---|---|---|"
    ordered = sorted(lines, key=lambda line: line.test)
    for number, what in FAULTS.items():
        rows = [line.row for line in fold([line for line in ordered if line.fault == number])]
        yield f"| **{number}** | **{what}** | {'' if rows else 'not run'} | | | |"
        yield from rows


def fold(lines: list[Line]) -> Iterator[Line]:
    """The lines, with the cases of a test that has many merged into one."""
    for name, cases in itertools.groupby(lines, lambda line: line.test.partition("[")[0]):
        group = list(cases)
        if len(group) <= MOST_CASES:
            yield from group
        else:
            yield _merge(f"{name} ({len(group)} cases)", group)


def _merge(name: str, group: list[Line]) -> Line:
    bad = [line.outcome for line in group if line.outcome != "passed"]
    return dataclasses.replace(
        group[0],
        test=name,
        outcome=bad[0] if bad else "passed",
        seconds=sum(line.seconds for line in group),
        healed=max((line.healed for line in group if line.healed is not None), default=None),
    )
