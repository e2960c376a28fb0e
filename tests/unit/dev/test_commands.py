"""The table at the end of a run has the counts of pytest."""

import pytest

from dev.checks.commands import Result, counts, progress, table


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("....\n12 passed in 3.40s\n", {"passed": 12}),
        (
            "=== 2 failed, 379 passed, 3 deselected, 1 error in 1500.12s (0:25:00) ===",
            {"passed": 379, "failed": 2, "error": 1},
        ),
        ("Success: no issues found in 100 source files", {}),
        ("", {}),
    ],
)
def test_last_line_of_pytest_is_parsed(output: str, found: dict[str, int]) -> None:
    assert counts(output) == found


def test_table_has_a_row_for_each_command_and_a_total() -> None:
    results = [
        Result(name="types", code=1, seconds=65.0, passed=0, failed=0),
        Result(name="unit tests", code=0, seconds=42.5, passed=3700, failed=1),
    ]
    lines = list(table(results, 70.0))
    assert lines[1].split() == ["types", "1:05", "failed", "(exit", "code", "1)"]
    assert lines[2].split() == ["unit", "tests", "3701", "0:42"]
    assert lines[-1] == "total: 3700 passed, 1 failed"


@pytest.mark.parametrize(
    ("output", "found"),
    [("........ [ 18%]\n..... [ 37%]\n...", "37%"), ("... [100%]\n", "100%"), ("", "")],
)
def test_progress_is_the_last_percentage(output: str, found: str) -> None:
    assert progress(output) == found
