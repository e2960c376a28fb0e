"""What counts as the CPU time of a test, and the list of tests."""

import os
from pathlib import Path

from tests.support.cpu_report import Usage, listed, tree_seconds

TICKS = os.sysconf("SC_CLK_TCK")


def make_process(proc: Path, pid: int, *children: int, used: int, reaped: int = 0) -> None:
    """A process with these seconds in user mode, and those of children that have exited."""
    task = proc / str(pid) / "task" / str(pid)
    task.mkdir(parents=True)
    (task / "children").write_text("".join(f"{child} " for child in children))
    zeros = ["0"] * 10
    times = [str(each * TICKS) for each in (used, 0, reaped, 0)]
    fields = ["S", *zeros, *times, *zeros]
    (proc / str(pid) / "stat").write_text(f"{pid} (a (b) c) {' '.join(fields)}")


def test_descendants_and_exited_children_count(tmp_path: Path) -> None:
    make_process(tmp_path, 1, 2, 3, used=1, reaped=10)
    make_process(tmp_path, 2, 4, used=100)
    make_process(tmp_path, 3, used=1000)
    make_process(tmp_path, 4, used=10000)
    assert tree_seconds(1, tmp_path) == 11111


def test_process_that_has_exited_meanwhile_counts_nothing(tmp_path: Path) -> None:
    make_process(tmp_path, 1, 2, used=1)
    assert tree_seconds(1, tmp_path) == 1


def test_list_has_the_highest_and_the_sum() -> None:
    usages = {
        "a": Usage(total=1, setup=0.5, tests=1),
        "b": Usage(total=3, setup=1, tests=2),
        "c": Usage(total=2, setup=0, tests=1),
    }
    lines = [line.split() for line in listed(usages, 2)]
    assert [line[-1] for line in lines] == ["b", "c", "all"]
    assert [line[0] for line in lines] == ["3.0", "2.0", "6.0"]
