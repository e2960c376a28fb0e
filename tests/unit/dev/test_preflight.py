"""A disk that is too small is refused before anything is built."""

from dev.preflight import GIB, disk_problems


def test_enough_disk_is_no_problem() -> None:
    assert list(disk_problems(14 * GIB, 14 * GIB)) == []


def test_too_small_a_disk_says_how_much_is_needed_and_left() -> None:
    (problem,) = disk_problems(14 * GIB, GIB // 2)
    assert problem.startswith("14 GiB of free disk are required at ")
    assert "0.5 GiB are free" in problem
    assert "XDG_CACHE_HOME" in problem
