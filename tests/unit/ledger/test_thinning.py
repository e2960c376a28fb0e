"""Selection of the samples to keep."""

import pytest

from roadstead.ledger.thinning import Thinning
from tests.support.builders.records import UID, a_sample, fresh_uid


@pytest.fixture
def thinning() -> Thinning:
    """A Thinning that kept `a_sample()`."""
    found = Thinning()
    assert found.accept(a_sample())
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
def test_changed_sample_is_kept(thinning: Thinning, changed: dict[str, object]) -> None:
    assert thinning.accept(a_sample(**{"sampled_at": "2026-01-01T00:00:15+00:00", **changed}))


def test_unchanged_sample_is_dropped(thinning: Thinning) -> None:
    same = a_sample(sampled_at="2026-01-01T00:00:15+00:00", memory_current_mb=505.0)
    assert not thinning.accept(same)


def test_slow_growth_is_kept_once_large_enough(thinning: Thinning) -> None:
    kept = [
        thinning.accept(a_sample(memory_current_mb=500.0 + step, memory_max_mb=600.0))
        for step in range(12)
    ]
    assert kept == [False] * 11 + [True]


def test_sample_after_forget_is_kept(thinning: Thinning) -> None:
    thinning.forget(UID)
    assert thinning.accept(a_sample())
