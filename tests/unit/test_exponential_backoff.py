"""Delays after failures."""

from hypothesis import given
from hypothesis import strategies as st

from roadstead.exponential_backoff import Backoff

BACKOFF = Backoff(0.25, 300.0)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_delay_stays_within_its_bounds(failures: int, spread: float) -> None:
    assert BACKOFF.first / 2 <= BACKOFF.delay(failures, spread=spread) <= BACKOFF.longest
    assert BACKOFF.first / 2 <= BACKOFF.jittered(failures) <= BACKOFF.longest


def test_delays_double_up_to_the_longest() -> None:
    assert [BACKOFF.delay(failures) for failures in (0, 1, 2, 3, 99)] == [0, 0.25, 0.5, 1, 300]
