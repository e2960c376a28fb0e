"""Tokens, clocks and caches for the tests of issuers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from roadstead.errors import InvalidToken
from roadstead.issuers.issuer_settings import IssuerSettings, TokenSettings
from roadstead.issuers.key_cache import KeyCache
from roadstead.issuers.trust import TrustedIssuers
from tests.support.builders.key_sets import entry
from tests.support.builders.tokens import NOW, claims, private_key, signed

FIRST = entry("EdDSA", "first", kid="first")
SECOND = entry("EdDSA", "second", kid="second")


class Clock:
    """A clock that tests advance."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def of(*issuers: IssuerSettings) -> TokenSettings:
    return TokenSettings(issuers=issuers)


def token(name: str = "first", *, kid: str = "") -> str:
    """Return a token signed with the key of that name."""
    private = private_key("EdDSA", name)
    return signed(claims(), algorithm="EdDSA", private=private, headers={"kid": kid or name})


async def refused(trusted: TrustedIssuers, text: str) -> str:
    """Return the reason why a token is refused."""
    with pytest.raises(InvalidToken) as caught:
        await trusted.verify(text, now=NOW)
    return caught.value.reason


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, for as long as the test may take."""
    while not condition():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def refreshing(cache: KeyCache) -> AsyncIterator[None]:
    """Refresh the cache in the background within the block."""
    task = asyncio.create_task(cache.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, cache.close(), return_exceptions=True)
