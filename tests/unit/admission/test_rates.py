"""Rate limits for writes that callers cause."""

from __future__ import annotations

from roadstead_webhooks.admission.rates import MAX_KEYS, Rate, RateLimit

EACH = Rate(per_second=1, burst=3)
TOTAL = Rate(per_second=10, burst=5)


class Clock:
    """A clock that tests advance."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def granted(limit: RateLimit, key: str, count: int = 100) -> int:
    return sum(limit.allows(key) for _ in range(count))


def test_one_key_does_not_use_up_the_rate_of_others() -> None:
    limit = RateLimit(EACH, TOTAL, clock=Clock())
    assert granted(limit, "a") == 3
    assert granted(limit, "b") == 2


def test_total_rate_limits_all_keys() -> None:
    limit = RateLimit(EACH, TOTAL, clock=Clock())
    assert sum(granted(limit, str(key)) for key in range(100)) == 5


def test_rate_recovers_up_to_the_burst() -> None:
    clock = Clock()
    limit = RateLimit(EACH, TOTAL, clock=clock)
    granted(limit, "a")
    clock.now = 2.0
    assert granted(limit, "a") == 2
    clock.now = 1000.0
    assert granted(limit, "a") == 3


def test_refused_write_does_not_use_up_the_rate_of_others() -> None:
    clock = Clock()
    limit = RateLimit(EACH, TOTAL, clock=clock)
    granted(limit, "a", 1000)
    assert granted(limit, "b") == 2


def test_number_of_keys_is_limited() -> None:
    limit = RateLimit(EACH, TOTAL, clock=Clock())
    for key in range(3 * MAX_KEYS):
        limit.allows(str(key))
    assert len(limit) <= MAX_KEYS
