"""Keys that are refreshed in the background, and keys in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadstead.issuers.issuer_settings import IssuerSettings
from roadstead.issuers.key_cache import KeyCache
from roadstead.issuers.key_reader import FileReader
from roadstead.issuers.trust import trusting
from roadstead.tokens.jwks import parse_jwks
from tests.adapters.issuer_tokens import (
    FIRST,
    SECOND,
    Clock,
    of,
    refreshing,
    refused,
    token,
    until,
)
from tests.support.builders.key_sets import document, entry
from tests.support.builders.tokens import (
    AUDIENCE,
    ISSUER,
    NOW,
    SECRET,
    claims,
    pem,
    private_key,
    signed,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_keys_are_refreshed_in_the_background(clock: Clock) -> None:
    reader = _Counting(FileReader(path=Path("/nonexistent")))
    cache = KeyCache(reader, parse_jwks, clock=clock, refresh_seconds=0.001)
    async with refreshing(cache):
        await until(lambda: reader.reads >= 3)
        assert not cache.loaded
        reader.data = document(FIRST)
        await until(lambda: cache.with_id("first"))
        reader.data = document(SECOND)
        await until(lambda: cache.with_id("second"))
        assert not cache.with_id("first")


async def test_changed_keys_count_as_a_change(clock: Clock) -> None:
    reader = _Counting(FileReader(path=Path("/nonexistent")))
    cache = KeyCache(reader, parse_jwks, clock=clock)
    seen = []
    for data in (document(FIRST), document(FIRST), document(SECOND)):
        reader.data = data
        await cache.refresh()
        seen.append(cache.changes)
    assert seen == [1, 1, 2]


class _Counting:
    """A reader that fails until it has data."""

    def __init__(self, broken: FileReader) -> None:
        self._broken = broken
        self.reads = 0
        self.data = b""

    @property
    def where(self) -> str:
        return "nowhere"

    async def read(self) -> bytes:
        self.reads += 1
        return self.data or await self._broken.read()


async def test_unexpected_error_of_a_read_does_not_stop_the_refresh(clock: Clock) -> None:
    class Broken(_Counting):
        async def read(self) -> bytes:
            self.reads += 1
            raise ZeroDivisionError

    reader = Broken(FileReader(path=Path("/nonexistent")))
    cache = KeyCache(reader, parse_jwks, clock=clock, refresh_seconds=0.001)
    async with refreshing(cache):
        await until(lambda: reader.reads >= 3)
    assert not await cache.refresh_unknown()


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A file as the kubelet mounts it: behind a link that is replaced for each new version."""
    (tmp_path / "1").mkdir()
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "keys").symlink_to("..data/keys")
    return tmp_path / "keys"


def swap(mounted: Path, version: str, data: bytes) -> None:
    """Write a new version of the mounted file."""
    folder = mounted.parent
    (folder / version).mkdir(exist_ok=True)
    (folder / version / "keys").write_bytes(data)
    (folder / "..new").symlink_to(version)
    (folder / "..new").rename(folder / "..data")


async def test_changed_key_file_is_read_again(mounted: Path, clock: Clock) -> None:
    cache = KeyCache(FileReader(path=mounted), parse_jwks, clock=clock, refresh_seconds=0.001)
    async with refreshing(cache):
        await cache.attempted.wait()
        assert not cache.loaded
        swap(mounted, "1", document(FIRST))
        await until(lambda: cache.with_id("first"))
        swap(mounted, "2", b"junk")
        swap(mounted, "3", document(SECOND))
        await until(lambda: cache.with_id("second"))


async def test_secret_is_read_from_a_file(mounted: Path) -> None:
    swap(mounted, "1", SECRET + b"first\n")
    by_file = IssuerSettings(issuer=ISSUER, audience=AUDIENCE, secret_file=mounted)
    async with trusting(of(by_file)) as trusted:
        assert await trusted.verify(signed(claims()), now=NOW)
        assert await refused(trusted, signed(claims(), headers={"kid": "x"})) == "TokenKeyUnknown"


async def test_issuer_with_a_short_secret_is_not_ready(mounted: Path) -> None:
    swap(mounted, "1", SECRET[:31])
    by_file = IssuerSettings(issuer=ISSUER, audience=AUDIENCE, secret_file=mounted)
    async with trusting(of(by_file)) as trusted:
        assert not trusted.ready


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_public_key_is_read_from_a_file(tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(private_key(algorithm)))
    by_file = IssuerSettings(issuer=ISSUER, audience=AUDIENCE, public_key_file=path, key_id="mine")
    text = signed(claims(), algorithm=algorithm, headers={"kid": "mine"})
    async with trusting(of(by_file)) as trusted:
        assert await trusted.verify(text, now=NOW)


async def test_algorithm_that_is_not_configured_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(document(FIRST, entry("ES256", kid="es")))
    limited = IssuerSettings(
        issuer=ISSUER, audience=AUDIENCE, jwks_file=path, algorithms=frozenset({"ES256"})
    )
    async with trusting(of(limited)) as trusted:
        text = signed(claims(), algorithm="ES256", headers={"kid": "es"})
        assert await trusted.verify(text, now=NOW)
        assert await refused(trusted, token()) == "TokenKeyUnknown"
