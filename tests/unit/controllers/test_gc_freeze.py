"""The garbage collector does not walk what the cache holds."""

import gc
from collections.abc import Iterator

import pytest

from roadstead.controllers.gc_freeze import GROWTH, GcFreeze


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """The collector as it was."""
    yield
    gc.unfreeze()


def test_a_cache_that_has_grown_is_frozen() -> None:
    held = [{"name": str(number)} for number in range(GROWTH)]
    before = gc.get_freeze_count()
    assert GcFreeze(held.__len__).look()
    assert gc.get_freeze_count() >= before + GROWTH


def test_a_cache_is_frozen_only_when_it_is_larger_than_ever() -> None:
    sizes = [GROWTH - 1, GROWTH, GROWTH + 1, 0, GROWTH, 2 * GROWTH - 1, 2 * GROWTH, 2 * GROWTH]
    following = iter(sizes)
    freezing = GcFreeze(lambda: next(following))
    looked = [freezing.look() for _ in sizes]
    assert looked == [False, True, False, False, False, False, True, False]
