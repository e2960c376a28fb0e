"""The page of faults says of each one which tests try it, and those do."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faults_table import FAULTS
from tests.unit.faults.marks import marked

PAGE = Path(__file__).parents[3] / "docs" / "operations" / "failure-modes.md"
HEADING = "## The faults that are tried\n"
NAME = re.compile(r"`([a-z0-9_/]+\.py)?::(test_\w+)`")
MARKED = marked()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One fault, as the page has it."""

    fault: str
    done: str
    tests: str

    @property
    def named(self) -> Iterator[tuple[str, str]]:
        """File and name of its tests; one without a file is in that of the one before."""
        file = ""
        for match in NAME.finditer(self.tests):
            file = match[1] or file
            yield file, match[2]


def rows() -> list[Row]:
    section = PAGE.read_text().split(HEADING)[1].split("\n## ")[0]
    lines = re.findall(r"^\| (R\d+) \|(.+)\|$", section, re.MULTILINE)
    cells = [(fault, [cell.strip() for cell in rest.split("|")]) for fault, rest in lines]
    return [Row(fault=fault, done=cell[0], tests=cell[-1]) for fault, cell in cells]


each_row = pytest.mark.parametrize("row", rows(), ids=lambda row: row.fault)


def test_there_is_one_row_for_each_fault() -> None:
    assert [row.fault for row in rows()] == list(FAULTS)


@each_row
def test_a_row_begins_with_what_the_fault_is(row: Row) -> None:
    assert row.done.startswith(FAULTS[row.fault])


@each_row
def test_each_test_that_a_row_names_tries_its_fault(row: Row) -> None:
    named = {(row.fault, *each) for each in row.named}
    assert named - MARKED == set()


@each_row
def test_each_fault_is_tried(row: Row) -> None:
    assert list(row.named)
