"""What `assert_eventually` and `wait_until` count as not yet, and their final message."""

import pytest

from tests.support.waiting import assert_eventually, wait_until


async def test_assertion_error_counts_as_not_yet() -> None:
    answers = iter([False, True])

    async def is_true() -> bool:
        assert next(answers)
        return True

    await assert_eventually(is_true, interval=0)


async def test_last_assertion_error_is_raised_at_the_end() -> None:
    def fails() -> bool:
        raise AssertionError("three pods are left")

    with pytest.raises(AssertionError, match="three pods are left"):
        await assert_eventually(fails, timeout=0, interval=0)


async def test_error_has_the_last_result() -> None:
    with pytest.raises(AssertionError, match=r"not within 0 s; last answer: \[\]"):
        await assert_eventually(list, timeout=0, interval=0)


async def test_other_error_is_raised_at_once() -> None:
    def breaks() -> bool:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await assert_eventually(breaks)


def test_result_is_returned() -> None:
    answers = iter(["", "found"])
    assert wait_until(lambda: next(answers), step=0) == "found"


def test_timed_out_wait_reports_the_last_result() -> None:
    with pytest.raises(AssertionError, match="still 0 after 0 s"):
        wait_until(lambda: 0, seconds=0, step=0)
