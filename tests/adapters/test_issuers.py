"""Keys of issuers through rotation, outages and junk: over real sockets and in real files."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from roadstead.errors import InvalidSettings, InvalidToken
from roadstead.issuers.cache import KeyCache
from roadstead.issuers.reading import FileReader
from roadstead.issuers.settings import IssuerSettings, TokenSettings
from roadstead.issuers.trust import TrustedIssuers, trusting
from roadstead.tokens.jwks import parse_jwks
from roadstead.tokens.revocations import Revocations
from tests.adapters.issuer_server import IssuerServer, issuer_server, server_tls
from tests.unit.tokens.builders import (
    AUDIENCE,
    ISSUER,
    NOW,
    SECRET,
    claims,
    pem,
    private_key,
    signed,
    signed_header,
)
from tests.unit.tokens.key_sets import document, entry

FIRST = entry("EdDSA", "first", kid="first")
SECOND = entry("EdDSA", "second", kid="second")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def issuer() -> AsyncIterator[IssuerServer]:
    """An issuer that publishes the first key."""
    server = issuer_server(FIRST)
    async with server.listening():
        yield server


def settings(server: IssuerServer) -> TokenSettings:
    """One issuer, by its JWKS URL."""
    return of(IssuerSettings(issuer=ISSUER, audience=AUDIENCE, jwks_url=server.url))


def of(*issuers: IssuerSettings) -> TokenSettings:
    return TokenSettings(issuers=issuers)


def token(name: str = "first", *, kid: str = "") -> str:
    """A token signed with the key of that name."""
    private = private_key("EdDSA", name)
    return signed(claims(), algorithm="EdDSA", private=private, headers={"kid": kid or name})


async def refused(trusted: TrustedIssuers, text: str) -> str:
    """The reason that a token is refused for."""
    with pytest.raises(InvalidToken) as caught:
        await trusted.verify(text, now=NOW)
    return caught.value.reason


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, for as long as the test may take."""
    while not condition():  # noqa: ASYNC110 - what is waited for knows of no event
        await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def kept_fresh(cache: KeyCache) -> AsyncIterator[None]:
    """Refreshed in the background within the block."""
    task = asyncio.create_task(cache.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, cache.close(), return_exceptions=True)


async def test_keys_are_read_once_for_many_tokens(issuer: IssuerServer) -> None:
    async with trusting(settings(issuer)) as trusted:
        assert trusted.ready
        for _ in range(10):
            assert (await trusted.verify(token(), now=NOW)).subject == "alice"
    assert issuer.requests == 1


async def test_a_new_key_is_fetched_when_a_token_names_it(issuer: IssuerServer) -> None:
    async with trusting(settings(issuer)) as trusted:
        issuer.publish(FIRST, SECOND)
        assert await trusted.verify(token("second"), now=NOW)
        assert await trusted.verify(token("first"), now=NOW)
    assert issuer.requests == 2


async def test_a_withdrawn_key_verifies_nothing_any_more(issuer: IssuerServer) -> None:
    async with trusting(settings(issuer)) as trusted:
        issuer.publish(SECOND)
        assert await trusted.verify(token("second"), now=NOW)
        assert await refused(trusted, token("first")) == "TokenKeyUnknown"


async def test_a_flood_of_unknown_keys_asks_the_issuer_once_a_minute(
    issuer: IssuerServer, clock: Clock
) -> None:
    async with trusting(settings(issuer), clock=clock) as trusted:

        async def flood() -> None:
            texts = [token(kid=f"unknown-{number}") for number in range(200)]
            reasons = await asyncio.gather(*(refused(trusted, text) for text in texts))
            assert set(reasons) == {"TokenKeyUnknown"}

        await flood()
        assert issuer.requests == 2
        clock.now += 59
        await flood()
        assert issuer.requests == 2
        clock.now += 1
        await flood()
        assert issuer.requests == 3


async def test_a_flood_while_the_issuer_is_down_asks_it_once_a_minute(
    issuer: IssuerServer, clock: Clock
) -> None:
    async with trusting(settings(issuer), clock=clock) as trusted:
        issuer.say(b"", status=503)
        for number in range(50):
            assert await refused(trusted, token(kid=f"unknown-{number}")) == "TokenKeyUnknown"
        assert issuer.requests == 2
        assert await trusted.verify(token(), now=NOW)


@pytest.mark.parametrize("unsigned", ["other-algorithm", "other-issuer", "no-token"])
async def test_only_a_token_with_an_unknown_key_asks_the_issuer(
    issuer: IssuerServer, unsigned: str
) -> None:
    texts = {
        "other-algorithm": signed_header({"alg": "none", "kid": "x"}),
        "other-issuer": signed(claims(iss="other"), headers={"kid": "x"}),
        "no-token": "x",
    }
    async with trusting(settings(issuer)) as trusted:
        assert await refused(trusted, texts[unsigned]) != "TokenKeyUnknown"
    assert issuer.requests == 1


async def test_the_last_keys_serve_through_an_outage(clock: Clock) -> None:
    issuer = issuer_server(FIRST)
    async with contextlib.AsyncExitStack() as stack:
        async with issuer.listening():
            trusted = await stack.enter_async_context(trusting(settings(issuer), clock=clock))
        clock.now += 3600
        assert await refused(trusted, token("second")) == "TokenKeyUnknown"
        assert await trusted.verify(token(), now=NOW)
        assert trusted.ready
        assert trusted.ages == {ISSUER: 3600}
        issuer.publish(FIRST, SECOND)
        clock.now += 60
        async with issuer.listening():
            assert await trusted.verify(token("second"), now=NOW)
        assert trusted.ages == {ISSUER: 0}


BAD_ANSWERS = [
    pytest.param(200, b"<html>maintenance</html>", {}, id="html"),
    pytest.param(200, b"", {}, id="nothing"),
    pytest.param(200, b'{"keys":[]}', {}, id="no-keys"),
    pytest.param(200, b'{"keys":[{"kty":"oct","k":"AAAA","kid":"second"}]}', {}, id="symmetric"),
    pytest.param(200, document(SECOND)[:-2], {}, id="cut-off"),
    pytest.param(200, document(SECOND) + b" " * 65_536, {}, id="huge"),
    pytest.param(404, document(SECOND), {}, id="404"),
    pytest.param(500, document(SECOND), {}, id="500"),
    pytest.param(204, b"", {}, id="204"),
    pytest.param(301, b"", {"Location": "/moved"}, id="301"),
    pytest.param(302, document(SECOND), {"Location": "/moved"}, id="302"),
    pytest.param(307, b"", {"Location": "/moved"}, id="307"),
    pytest.param(200, b"\x1f\x8b\x08\x00junk", {"Content-Encoding": "gzip"}, id="no-gzip"),
    pytest.param(200, document(SECOND), {"Content-Length": "100000"}, id="shorter-than-said"),
]


@pytest.mark.parametrize(("status", "body", "headers"), BAD_ANSWERS)
async def test_a_bad_answer_leaves_the_last_keys(
    issuer: IssuerServer, status: int, body: bytes, headers: dict[str, str]
) -> None:
    async with trusting(settings(issuer)) as trusted:
        issuer.say(body, status=status, headers=headers)
        assert await refused(trusted, token("second")) == "TokenKeyUnknown"
        assert await trusted.verify(token(), now=NOW)
    assert issuer.requests == 2


@pytest.mark.parametrize(("status", "body", "headers"), BAD_ANSWERS)
async def test_a_bad_first_answer_makes_nothing_ready(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    issuer = issuer_server()
    issuer.say(body, status=status, headers=headers)
    async with issuer.listening(), trusting(settings(issuer)) as trusted:
        assert not trusted.ready
        assert trusted.ages == {ISSUER: math.inf}
        assert await refused(trusted, token("second")) == "TokenKeyUnknown"


async def test_a_body_without_an_end_is_given_up(issuer: IssuerServer) -> None:
    async with trusting(settings(issuer)) as trusted:
        issuer.pour()
        assert await refused(trusted, token("second")) == "TokenKeyUnknown"
        assert await trusted.verify(token(), now=NOW)


async def test_known_keys_verify_while_the_issuer_hangs(issuer: IssuerServer) -> None:
    async with trusting(settings(issuer)) as trusted:
        issuer.hang()
        waiting = asyncio.create_task(refused(trusted, token("second")))
        await until(lambda: issuer.requests == 2)
        assert await trusted.verify(token(), now=NOW)
        assert not waiting.done()
        assert await waiting == "TokenKeyUnknown"


async def test_one_issuer_that_is_down_leaves_the_others(
    issuer: IssuerServer, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    down = IssuerSettings(
        issuer="down", audience=AUDIENCE, jwks_url="http://127.0.0.1:1/jwks", allow_http=True
    )
    local = IssuerSettings(issuer="local", audience=AUDIENCE, secret_file=tmp_path / "secret")
    remote = IssuerSettings(issuer=ISSUER, audience=AUDIENCE, jwks_url=issuer.url)
    async with trusting(of(down, local, remote)) as trusted:
        assert trusted.ready
        assert await trusted.verify(token(), now=NOW)
        text = signed(claims(iss="local"), private=SECRET)
        assert (await trusted.verify(text, now=NOW)).issuer == "local"
        text = signed(claims(iss="down"), private=SECRET)
        assert await refused(trusted, text) == "TokenKeyUnknown"


async def test_an_issuer_over_tls_is_believed_only_if_its_certificate_is(tmp_path: Path) -> None:
    issuer, ca = issuer_server(FIRST), tmp_path / "ca.pem"
    async with issuer.listening(server_tls(ca)):
        async with trusting(settings(issuer)) as trusted:
            assert not trusted.ready
        assert issuer.requests == 0
        known = dataclasses.replace(settings(issuer).issuers[0], ca_file=ca)
        async with trusting(of(known)) as trusted:
            assert await trusted.verify(token(), now=NOW)


async def test_a_ca_file_without_certificates_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("junk")
    url = IssuerSettings(
        issuer=ISSUER, audience=AUDIENCE, jwks_url="https://x", ca_file=tmp_path / "ca.pem"
    )
    with pytest.raises(InvalidSettings, match="caFile"):
        await trusting(of(url)).__aenter__()


async def test_keys_are_refreshed_in_the_background(clock: Clock) -> None:
    reader = _Counting(FileReader(path=Path("/nonexistent")))
    cache = KeyCache(reader, parse_jwks, clock=clock, refresh_seconds=0.001)
    async with kept_fresh(cache):
        await until(lambda: reader.reads >= 3)
        assert not cache.loaded
        reader.data = document(FIRST)
        await until(lambda: cache.key("first"))
        reader.data = document(SECOND)
        await until(lambda: cache.key("second"))
        assert cache.key("first") is None


class _Counting:
    """A reader that has a fault first, and data once there are some."""

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


async def test_a_defect_while_reading_ends_nothing(clock: Clock) -> None:
    class Broken(_Counting):
        async def read(self) -> bytes:
            self.reads += 1
            raise ZeroDivisionError

    reader = Broken(FileReader(path=Path("/nonexistent")))
    cache = KeyCache(reader, parse_jwks, clock=clock, refresh_seconds=0.001)
    async with kept_fresh(cache):
        await until(lambda: reader.reads >= 3)
    assert not await cache.refresh_unknown()


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A file as the kubelet mounts it: behind a link that is swapped for each new version."""
    (tmp_path / "1").mkdir()
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "keys").symlink_to("..data/keys")
    return tmp_path / "keys"


def swap(mounted: Path, version: str, data: bytes) -> None:
    """A new version of the mounted file."""
    folder = mounted.parent
    (folder / version).mkdir(exist_ok=True)
    (folder / version / "keys").write_bytes(data)
    (folder / "..new").symlink_to(version)
    (folder / "..new").rename(folder / "..data")


async def test_a_key_file_is_read_again_when_it_changes(mounted: Path, clock: Clock) -> None:
    cache = KeyCache(FileReader(path=mounted), parse_jwks, clock=clock, refresh_seconds=0.001)
    async with kept_fresh(cache):
        await cache.attempted.wait()
        assert not cache.loaded
        swap(mounted, "1", document(FIRST))
        await until(lambda: cache.key("first"))
        swap(mounted, "2", b"junk")
        swap(mounted, "3", document(SECOND))
        await until(lambda: cache.key("second"))


async def test_a_secret_comes_from_a_file(mounted: Path) -> None:
    swap(mounted, "1", SECRET + b"first\n")
    by_file = IssuerSettings(issuer=ISSUER, audience=AUDIENCE, secret_file=mounted)
    async with trusting(of(by_file)) as trusted:
        assert await trusted.verify(signed(claims()), now=NOW)
        assert await refused(trusted, signed(claims(), headers={"kid": "x"})) == "TokenKeyUnknown"


async def test_a_secret_that_is_too_short_makes_nothing_ready(mounted: Path) -> None:
    swap(mounted, "1", SECRET[:31])
    by_file = IssuerSettings(issuer=ISSUER, audience=AUDIENCE, secret_file=mounted)
    async with trusting(of(by_file)) as trusted:
        assert not trusted.ready


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_public_key_comes_from_a_file(tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(private_key(algorithm)))
    by_file = IssuerSettings(issuer=ISSUER, audience=AUDIENCE, public_key_file=path, key_id="mine")
    text = signed(claims(), algorithm=algorithm, headers={"kid": "mine"})
    async with trusting(of(by_file)) as trusted:
        assert await trusted.verify(text, now=NOW)


async def test_an_algorithm_that_is_not_wanted_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(document(FIRST, entry("ES256", kid="es")))
    limited = IssuerSettings(
        issuer=ISSUER, audience=AUDIENCE, jwks_file=path, algorithms=frozenset({"ES256"})
    )
    async with trusting(of(limited)) as trusted:
        text = signed(claims(), algorithm="ES256", headers={"kid": "es"})
        assert await trusted.verify(text, now=NOW)
        assert await refused(trusted, token()) == "TokenKeyUnknown"


async def test_a_revocation_takes_effect_with_the_next_token(issuer: IssuerServer) -> None:
    revocations = [Revocations()]
    revoked = lambda said: revocations[0].why(said)  # noqa: E731 - the set is swapped below it
    async with trusting(settings(issuer), revoked=revoked) as trusted:
        assert await trusted.verify(token(), now=NOW)
        revocations[0] = Revocations.parse({"sub": "alice"})
        assert await refused(trusted, token()) == "TokenRevoked"


async def test_the_end_does_not_wait_for_an_issuer_that_hangs(issuer: IssuerServer) -> None:
    async with trusting(settings(issuer)) as trusted:
        issuer.hang()
        waiting = asyncio.create_task(refused(trusted, token("second")))
        await until(lambda: issuer.requests == 2)
        waiting.cancel()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("read ")]
