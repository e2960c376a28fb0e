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


def test_verdict_is_told_again() -> None:
    assert told(with_one()) == "yes"


def test_verdict_ends_at_its_time() -> None:
    assert told(with_one(until=10), now=10) is None


def test_verdict_without_a_time_is_told_once() -> None:
    assert told(with_one(until=0)) is None


def test_verdict_is_forgotten_with_its_generation() -> None:
    verdicts = with_one()
    told(verdicts, generation=2)
    assert told(verdicts, generation=1) is None


def test_verdict_that_was_overtaken_is_not_kept() -> None:
    verdicts = with_one()
    told(verdicts, generation=2)
    verdicts.put(KEY, "late", generation=1, until=10)
    assert told(verdicts, generation=2) is None


def test_verdict_that_was_asked_for_least_lately_goes_first() -> None:
    verdicts = with_one()
    verdicts.put(key_of("a", "s"), "a", generation=1, until=10)
    told(verdicts)
    verdicts.put(key_of("b", "s"), "b", generation=1, until=10)
    assert (told(verdicts), len(verdicts)) == ("yes", 2)
    assert verdicts.get(key_of("a", "s"), generation=1, now=0) is None


def test_token_itself_is_not_kept() -> None:
    assert b"token" not in key_of("token", "server")[0]
