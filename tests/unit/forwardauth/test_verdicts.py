"""Verdicts that were told before."""

from __future__ import annotations

from roadstead_webhooks.forwardauth.verdicts import Verdicts, key_of

KEY = key_of("token", "server")


def told(verdicts: Verdicts[str], *, generation: int = 1, now: int = 0) -> str | None:
    """What is known of KEY."""
    return verdicts.get(KEY, generation=generation, now=now)


def with_one(until: int = 10) -> Verdicts[str]:
    """Of generation 1, with KEY."""
    verdicts: Verdicts[str] = Verdicts(limit=2)
    told(verdicts)
    verdicts.put(KEY, "yes", generation=1, until=until)
    return verdicts


def test_verdict_is_cached() -> None:
    assert told(with_one()) == "yes"


def test_cached_verdict_expires() -> None:
    assert told(with_one(until=10), now=10) is None


def test_verdict_without_an_expiry_is_not_cached() -> None:
    assert told(with_one(until=0)) is None


def test_cache_is_cleared_by_a_new_generation() -> None:
    verdicts = with_one()
    told(verdicts, generation=2)
    assert told(verdicts, generation=1) is None


def test_outdated_verdict_is_not_cached() -> None:
    verdicts = with_one()
    told(verdicts, generation=2)
    verdicts.put(KEY, "late", generation=1, until=10)
    assert told(verdicts, generation=2) is None


def test_least_recently_used_verdict_is_evicted_first() -> None:
    verdicts = with_one()
    verdicts.put(key_of("a", "s"), "a", generation=1, until=10)
    told(verdicts)
    verdicts.put(key_of("b", "s"), "b", generation=1, until=10)
    assert (told(verdicts), len(verdicts)) == ("yes", 2)
    assert verdicts.get(key_of("a", "s"), generation=1, now=0) is None


def test_token_is_not_in_the_cache_key() -> None:
    assert b"token" not in key_of("token", "server")[0]
