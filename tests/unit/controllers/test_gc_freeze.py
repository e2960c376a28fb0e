"""The objects of the cache are exempt from garbage collection."""

import gc
from collections.abc import Iterator

import pytest

from roadstead.process.gc_freeze import FREEZE_GROWTH, GcFreeze


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """Unfreeze the collector after the test."""
    yield
    gc.unfreeze()


def test_a_grown_cache_is_frozen() -> None:
    held = [{"name": str(number)} for number in range(FREEZE_GROWTH)]
    before = gc.get_freeze_count()
    assert GcFreeze(held.__len__).freeze_if_grown()
    assert gc.get_freeze_count() >= before + FREEZE_GROWTH


def test_a_cache_is_frozen_only_beyond_its_largest_size() -> None:
    sizes = [
        FREEZE_GROWTH - 1,
        FREEZE_GROWTH,
        FREEZE_GROWTH + 1,
        0,
        FREEZE_GROWTH,
        2 * FREEZE_GROWTH - 1,
        2 * FREEZE_GROWTH,
        2 * FREEZE_GROWTH,
    ]
    following = iter(sizes)
    freezing = GcFreeze(lambda: next(following))
    looked = [freezing.freeze_if_grown() for _ in sizes]
    assert looked == [False, True, False, False, False, False, True, False]
