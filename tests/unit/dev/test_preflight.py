"""Too little disk space is reported before anything is built."""

from dev.preflight import GIB, disk_problems


def test_enough_disk_space_is_accepted() -> None:
    assert list(disk_problems(14 * GIB, 14 * GIB)) == []


def test_too_little_disk_space_is_reported_with_both_sizes() -> None:
    (problem,) = disk_problems(14 * GIB, GIB // 2)
    assert problem.startswith("14 GiB of free disk are required at ")
    assert "0.5 GiB are free" in problem
    assert "XDG_CACHE_HOME" in problem
