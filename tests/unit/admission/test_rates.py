"""How much is written of what others cause."""

from __future__ import annotations

from roadstead_webhooks.admission.rates import MAX_KEYS, Rate, RateLimit

EACH = Rate(per_second=1, burst=3)
TOTAL = Rate(per_second=10, burst=5)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def granted(limit: RateLimit, key: str, count: int = 100) -> int:
    return sum(limit.allows(key) for _ in range(count))


def test_one_key_leaves_room_for_others() -> None:
    limit = RateLimit(EACH, TOTAL, clock=Clock())
    assert granted(limit, "a") == 3
    assert granted(limit, "b") == 2


def test_all_keys_together_are_bounded() -> None:
    limit = RateLimit(EACH, TOTAL, clock=Clock())
    assert sum(granted(limit, str(key)) for key in range(100)) == 5


def test_room_comes_back_with_time_and_no_more_than_there_was() -> None:
    clock = Clock()
    limit = RateLimit(EACH, TOTAL, clock=clock)
    granted(limit, "a")
    clock.now = 2.0
    assert granted(limit, "a") == 2
    clock.now = 1000.0
    assert granted(limit, "a") == 3


def test_what_is_refused_takes_nothing_of_the_others_room() -> None:
    clock = Clock()
    limit = RateLimit(EACH, TOTAL, clock=clock)
    granted(limit, "a", 1000)
    assert granted(limit, "b") == 2


def test_keys_that_are_remembered_are_bounded() -> None:
    limit = RateLimit(EACH, TOTAL, clock=Clock())
    for key in range(3 * MAX_KEYS):
        limit.allows(str(key))
    assert len(limit) <= MAX_KEYS
