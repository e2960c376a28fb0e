"""When a watch resumes, lists or pauses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.kube.watch_state import (
    SHORT_WATCH_SECONDS,
    WATCH_BACKOFF,
    WatchBackoff,
    WatchState,
)


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def pauses(number: int, *, lasting: float = 0.0, failed: bool = False) -> list[float]:
    """The pauses before each of so many attempts."""
    time = Time()
    backoff, found = WatchBackoff(time), []
    for _ in range(number):
        found.append(backoff.pause())
        backoff.begin()
        time.now += lasting
        backoff.end(failed=failed)
    return found


def test_a_long_watch_restarts_without_a_pause() -> None:
    assert pauses(20, lasting=SHORT_WATCH_SECONDS) == [0.0] * 20


def test_pauses_grow_while_watches_end_early() -> None:
    first, second, *_, last = pauses(20)
    assert first == 0.0
    assert 0.0 < second <= WATCH_BACKOFF.first
    assert WATCH_BACKOFF.longest / 2 <= last <= WATCH_BACKOFF.longest


def test_a_failed_long_watch_restarts_after_the_first_pause() -> None:
    found = pauses(20, lasting=SHORT_WATCH_SECONDS, failed=True)
    assert all(0.0 < pause <= WATCH_BACKOFF.first for pause in found[1:])


def test_an_attempt_that_nobody_ended_counts_as_early() -> None:
    backoff = WatchBackoff(Time())
    backoff.begin()
    assert backoff.pause() > 0.0


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def state(time: Time) -> WatchState:
    """A watch after a list at version 10."""
    found = WatchState(limit=70, clock=time)
    found.begin()
    found.listed(10)
    return found


def test_a_list_is_due_at_the_start() -> None:
    found = WatchState()
    assert found.list_due
    assert found.silence() == float("inf")


def test_a_watch_resumes_after_its_last_version(state: WatchState) -> None:
    state.received(40)
    state.received(0)
    state.ended()
    assert (state.version, state.list_due) == (40, False)


def test_an_interrupted_watch_resumes(state: WatchState) -> None:
    state.received(40)
    state.failed()
    assert (state.version, state.list_due) == (40, False)


def test_a_list_is_due_after_an_attempt_without_events(state: WatchState) -> None:
    state.received(40)
    state.ended()
    state.begin()
    state.failed()
    assert state.list_due


@pytest.mark.parametrize(("seconds", "due"), [(69, False), (70, True)])
def test_a_list_is_due_after_long_silence(
    state: WatchState, time: Time, seconds: int, due: bool
) -> None:
    state.received(40)
    time.now += seconds
    state.failed()
    assert state.list_due is due


def test_a_list_is_due_after_the_version_expired(state: WatchState) -> None:
    state.received(40)
    state.expired()
    assert state.list_due


def test_an_event_after_a_drop_does_not_replace_the_list(state: WatchState) -> None:
    state.dropped()
    state.received(40)
    assert state.list_due


@given(versions=st.lists(st.integers(0, 100)))
def test_the_version_never_goes_back_without_a_list(versions: list[int]) -> None:
    state, seen = WatchState(), [0]
    state.listed(50)
    for version in versions:
        state.received(version)
        seen.append(state.version)
    assert seen[1:] == sorted(seen[1:])
    assert state.version == max(50, *versions, 0)


def test_silence_is_counted_from_the_last_event(state: WatchState, time: Time) -> None:
    time.now += 60
    assert state.silence() == 60
    state.received(0)
    assert state.silence() == 0


def test_silence_is_counted_from_the_start_of_the_first_watch(
    state: WatchState, time: Time
) -> None:
    time.now += 60
    state.expect_events()
    assert state.silence() == 0


def test_an_expected_watch_is_silent_until_its_kind_was_listed() -> None:
    state = WatchState()
    state.expect_events()
    assert state.silence() == float("inf")
