"""Pauses before a watch that ended early restarts."""

from roadstead.watching.backoff import MAX_PAUSE_SECONDS, SHORT_WATCH_SECONDS, WatchBackoff


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def turns(number: int, *, lasting: float = 0.0) -> list[float]:
    """The pauses before each request."""
    time, waits = Time(), []
    backoff = WatchBackoff(clock=time, sleep=time.sleep)
    for _ in range(number):
        asked = time.now
        await backoff.wait("pods")
        waits.append(time.now - asked)
        time.now += lasting
    return waits


async def test_a_long_watch_restarts_without_a_pause() -> None:
    assert await turns(20, lasting=SHORT_WATCH_SECONDS) == [0.0] * 20


async def test_pauses_grow_while_watches_end_early() -> None:
    first, second, *_, last = await turns(20)
    assert first == 0.0
    assert 0.0 < second < 1.0
    assert MAX_PAUSE_SECONDS / 2 <= last <= MAX_PAUSE_SECONDS


async def test_pauses_are_reset_by_a_long_watch() -> None:
    time = Time()
    backoff = WatchBackoff(clock=time, sleep=time.sleep)
    for _ in range(20):
        await backoff.wait("pods")
    time.now += SHORT_WATCH_SECONDS
    asked = time.now
    await backoff.wait("pods")
    assert time.now == asked


async def test_each_name_has_its_own_pauses() -> None:
    time = Time()
    backoff = WatchBackoff(clock=time, sleep=time.sleep)
    for _ in range(20):
        await backoff.wait("pods")
    asked = time.now
    await backoff.wait("models")
    assert time.now == asked
