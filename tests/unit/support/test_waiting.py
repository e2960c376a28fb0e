"""What `assert_eventually` and `wait_until` take for not yet, and what they say at the end."""

import pytest

from tests.support.waiting import assert_eventually, wait_until


async def test_an_assertion_error_counts_as_not_yet() -> None:
    answers = iter([False, True])

    async def is_true() -> bool:
        assert next(answers)
        return True

    await assert_eventually(is_true, interval=0)


async def test_the_last_assertion_error_is_raised_at_the_end() -> None:
    def fails() -> bool:
        raise AssertionError("three pods are left")

    with pytest.raises(AssertionError, match="three pods are left"):
        await assert_eventually(fails, timeout=0, interval=0)


async def test_the_last_answer_is_told_at_the_end() -> None:
    with pytest.raises(AssertionError, match=r"not within 0 s; last answer: \[\]"):
        await assert_eventually(list, timeout=0, interval=0)


async def test_another_error_is_raised_at_once() -> None:
    def breaks() -> bool:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await assert_eventually(breaks)


def test_what_was_waited_for_is_returned() -> None:
    answers = iter(["", "found"])
    assert wait_until(lambda: next(answers), step=0) == "found"


def test_a_wait_that_is_given_up_tells_the_last_answer() -> None:
    with pytest.raises(AssertionError, match="still 0 after 0 s"):
        wait_until(lambda: 0, seconds=0, step=0)
