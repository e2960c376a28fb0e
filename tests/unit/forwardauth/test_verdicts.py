"""The cache of verdicts."""

from __future__ import annotations

from roadstead.forwardauth.verdicts import Verdicts, key_of

KEY = key_of("token", "server")


def lookup(verdicts: Verdicts[str], *, generation: int = 1, now: int = 0) -> str | None:
    """Return the cached verdict of KEY."""
    return verdicts.get(KEY, generation=generation, now=now)


def with_one(until: int = 10) -> Verdicts[str]:
    """Return a cache of generation 1 with a verdict of KEY."""
    verdicts: Verdicts[str] = Verdicts(limit=2)
    lookup(verdicts)
    verdicts.put(KEY, "yes", generation=1, until=until)
    return verdicts


def test_verdict_is_cached() -> None:
    assert lookup(with_one()) == "yes"


def test_cached_verdict_expires() -> None:
    assert lookup(with_one(until=10), now=10) is None


def test_verdict_without_an_expiry_is_not_cached() -> None:
    assert lookup(with_one(until=0)) is None


def test_cache_is_cleared_by_a_new_generation() -> None:
    verdicts = with_one()
    lookup(verdicts, generation=2)
    assert lookup(verdicts, generation=1) is None


def test_outdated_verdict_is_not_cached() -> None:
    verdicts = with_one()
    lookup(verdicts, generation=2)
    verdicts.put(KEY, "late", generation=1, until=10)
    assert lookup(verdicts, generation=2) is None


def test_least_recently_used_verdict_is_evicted_first() -> None:
    verdicts = with_one()
    verdicts.put(key_of("a", "s"), "a", generation=1, until=10)
    lookup(verdicts)
    verdicts.put(key_of("b", "s"), "b", generation=1, until=10)
    assert (lookup(verdicts), len(verdicts)) == ("yes", 2)
    assert verdicts.get(key_of("a", "s"), generation=1, now=0) is None


def test_token_is_not_in_the_cache_key() -> None:
    assert b"token" not in key_of("token", "server")[0]
