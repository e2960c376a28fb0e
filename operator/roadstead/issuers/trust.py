"""Verifies tokens of all trusted issuers, with their current keys."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

import aiohttp

from roadstead.authorities import Authorities
from roadstead.clocks import Stopwatch
from roadstead.errors import InvalidSettings, InvalidToken
from roadstead.issuers.issuer_settings import IssuerSettings, TokenSettings
from roadstead.issuers.key_cache import (
    FILE_REFRESH_SECONDS,
    REFRESH_SECONDS,
    REMARKS,
    KeyCache,
)
from roadstead.issuers.key_reader import FileReader, Reader, UrlReader
from roadstead.tokens.claims import Claims
from roadstead.tokens.jwks import parse_jwks
from roadstead.tokens.keys import Key, KeySet, public_keys, secret_key
from roadstead.tokens.parsing import parse
from roadstead.tokens.verification import Issuer, Revoked, TokenVerifier

UNKNOWN_KEY_WAIT_SECONDS: Final = 2.0
"""How long a token with an unknown key waits for its issuer: an admission has 10 s in total."""
FIRST_READ_SECONDS: Final = 5.0


class TrustedIssuers:
    """Verifies tokens of several issuers, each with its own keys. Created by `trusting`."""

    def __init__(
        self,
        issuers: Sequence[tuple[Issuer, KeyCache]],
        *,
        settings: TokenSettings,
        revoked: Revoked | None,
    ) -> None:
        self._caches = {issuer.name: cache for issuer, cache in issuers}
        self._verifier = TokenVerifier(
            (issuer for issuer, _ in issuers),
            leeway=settings.leeway,
            max_lifetime=settings.max_lifetime,
            revoked=revoked,
        )

    @property
    def ready(self) -> bool:
        """Whether any keys were read; stays true during outages."""
        return any(cache.loaded for cache in self._caches.values())

    @property
    def ages(self) -> dict[str, float]:
        """The seconds since the keys of each issuer were read; infinite if they never were."""
        return {name: cache.age for name, cache in self._caches.items()}

    @property
    def changes(self) -> int:
        """The number of changes of issuers' keys."""
        return sum(cache.changes for cache in self._caches.values())

    async def verify(self, token: str, *, now: int) -> Claims:
        """Verify a token as TokenVerifier does; raises only InvalidToken.

        Waits at most two seconds, and only for an unknown key, which may be a new one.
        """
        try:
            claims = self._verifier.verify(token, now=now)
        except InvalidToken as error:
            if error.reason != "TokenKeyUnknown":
                raise
            if not await self._refresh_for(token):
                raise
            claims = self._verifier.verify(token, now=now)
        for remark in claims.remarks:
            REMARKS.labels(claims.issuer, remark).inc()
        return claims

    async def _refresh_for(self, token: str) -> bool:
        cache = self._caches[self._verifier.issuer_of(parse(token)).name]
        try:
            return await asyncio.wait_for(cache.refresh_unknown(), UNKNOWN_KEY_WAIT_SECONDS)
        except TimeoutError:
            return False


@contextlib.asynccontextmanager
async def trusting(
    settings: TokenSettings, *, revoked: Revoked | None = None, clock: Stopwatch = time.monotonic
) -> AsyncIterator[TrustedIssuers]:
    """Provide the issuers of `settings`; their keys are refreshed until the end of the block.

    Waits at most five seconds for the first read; servers check `ready` afterwards. Raises
    InvalidSettings for an invalid caFile; a key that can't be read yet is only logged.
    """
    # trust_env is off: a proxy from the environment could change the response.
    async with aiohttp.ClientSession(
        trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        caches = [_create_cache(each, settings, session, clock) for each in settings.issuers]
        issuers = [_create_issuer(*pair) for pair in zip(settings.issuers, caches, strict=True)]
        pairs = list(zip(issuers, caches, strict=True))
        trusted = TrustedIssuers(pairs, settings=settings, revoked=revoked)
        tasks = [asyncio.create_task(cache.run()) for cache in caches]
        try:
            await _wait_for_first_read(caches)
            yield trusted
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(
                *tasks, *(cache.close() for cache in caches), return_exceptions=True
            )


async def _wait_for_first_read(caches: list[KeyCache]) -> None:
    readings = asyncio.gather(*(cache.attempted.wait() for cache in caches))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(readings, FIRST_READ_SECONDS)


def _create_issuer(settings: IssuerSettings, cache: KeyCache) -> Issuer:
    return Issuer(
        name=settings.issuer,
        audience=settings.audience,
        keys=cache,
        more_audiences=settings.more_audiences,
        subject_claim=settings.subject_claim,
        issued_at_required=settings.issued_at_required,
        max_lifetime=settings.max_lifetime,
        groups_claim=settings.groups_claim,
        scopes_claim=settings.scopes_claim,
        prefixes=settings.prefixes,
    )


def _create_cache(
    settings: IssuerSettings,
    shared: TokenSettings,
    session: aiohttp.ClientSession,
    clock: Stopwatch,
) -> KeyCache:
    reader, parse_keys, seconds = _key_source(settings, shared, session)
    return KeyCache(
        reader,
        lambda data: parse_keys(data).limited_to(settings.algorithms),
        clock=clock,
        refresh_seconds=seconds,
    )


Source = tuple[Reader, Callable[[bytes], KeySet], float]
"""The reader of keys, the parser, and the seconds between reads."""


def _key_source(
    settings: IssuerSettings, shared: TokenSettings, session: aiohttp.ClientSession
) -> Source:
    if settings.jwks_url:
        reader = UrlReader(
            url=settings.jwks_url,
            session=session,
            authorities=_authorities(settings, shared),
            proxy=shared.proxy,
        )
        return reader, parse_jwks, REFRESH_SECONDS
    if settings.keys_from_cluster and shared.cluster is not None:
        reader = UrlReader(
            url=shared.cluster.url,
            session=session,
            authorities=Authorities.of_file(shared.cluster.ca_file, otherwise=shared.authorities),
            token_file=shared.cluster.token_file,
        )
        return reader, parse_jwks, REFRESH_SECONDS
    if settings.jwks_file:
        return FileReader(path=settings.jwks_file), parse_jwks, FILE_REFRESH_SECONDS
    kid = settings.key_id
    if path := settings.public_key_file:
        return _file_source(path, lambda data: public_keys(data, kid=kid))
    if path := settings.secret_file:
        return _file_source(path, lambda data: [secret_key(data, kid=kid)])
    raise InvalidSettings(f"issuer {settings.issuer} has no source of keys")


def _file_source(path: Path, make: Callable[[bytes], Sequence[Key]]) -> Source:
    return FileReader(path=path), lambda data: KeySet.of(make(data)), FILE_REFRESH_SECONDS


def _authorities(settings: IssuerSettings, shared: TokenSettings) -> Authorities:
    found = Authorities.of_file(settings.ca_file, otherwise=shared.authorities)
    try:
        found.context()
    except InvalidSettings as error:
        raise InvalidSettings(f"issuer {settings.issuer}: caFile: {error}") from None
    return found
