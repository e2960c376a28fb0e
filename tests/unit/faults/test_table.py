"""The table of faults names every failure and is as short as possible."""

from tests.support.faults_table import Line, table


def line(test: str, outcome: str = "passed") -> Line:
    return Line(fault="R22", test=test, outcome=outcome, seconds=1, healed=None, heals="all")


def rows(lines: list[Line]) -> list[str]:
    return [row for row in table(lines) if row.startswith("| R22 ")]


def test_few_cases_have_a_row_each() -> None:
    assert len(rows([line(f"test_one[{number}]") for number in range(5)])) == 5


def test_many_cases_are_one_row_with_the_failure() -> None:
    cases = [line(f"test_one[{number}]") for number in range(100)]
    failed = [*cases, line("test_one[last]", "failed"), line("test_other")]
    assert rows(failed) == [
        "| R22 | `test_one (101 cases)` | failed | 101 s |  | all |",
        "| R22 | `test_other` | passed | 1 s |  | all |",
    ]
    assert "| passed |" in rows(cases)[0]


def test_fault_without_a_test_is_not_run() -> None:
    assert len([row for row in table([]) if "not run" in row]) == 24
