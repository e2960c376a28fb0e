"""Which samples are kept."""

import pytest

from roadstead.ledger.thinning import Thinning
from tests.support.builders.records import UID, a_sample, fresh_uid


@pytest.fixture
def thinning() -> Thinning:
    """One that has kept the sample of `a_sample`."""
    found = Thinning()
    assert found.keeps(a_sample())
    return found


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"memory_current_mb": 520.0}, id="memory"),
        pytest.param({"memory_max_mb": 601.0}, id="peak"),
        pytest.param({"cpu_usage_percent": 15.0}, id="cpu"),
        pytest.param({"requests_processing": 1}, id="requests"),
        pytest.param({"sampled_at": "2026-01-01T00:10:00+00:00"}, id="time"),
        pytest.param({"server_uuid": fresh_uid()}, id="other-server"),
    ],
)
def test_sample_that_says_something_new_is_kept(
    thinning: Thinning, changed: dict[str, object]
) -> None:
    assert thinning.keeps(a_sample(**{"sampled_at": "2026-01-01T00:00:15+00:00", **changed}))


def test_sample_that_repeats_the_last_is_left_out(thinning: Thinning) -> None:
    same = a_sample(sampled_at="2026-01-01T00:00:15+00:00", memory_current_mb=505.0)
    assert not thinning.keeps(same)


def test_slow_growth_is_kept_once_it_adds_up(thinning: Thinning) -> None:
    kept = [
        thinning.keeps(a_sample(memory_current_mb=500.0 + step, memory_max_mb=600.0))
        for step in range(12)
    ]
    assert kept == [False] * 11 + [True]


def test_server_that_went_is_forgotten(thinning: Thinning) -> None:
    thinning.forget(UID)
    assert thinning.keeps(a_sample())
