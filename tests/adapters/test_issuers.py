"""Keys of issuers during rotation, outages and invalid responses, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roadstead.errors import InvalidSettings
from roadstead.issuers.issuer_settings import IssuerSettings, TokenSettings
from roadstead.issuers.trust import trusting
from roadstead.tokens.prefixes import NamePrefixes
from roadstead.tokens.revocations import Revocations
from tests.adapters.issuer_server import IssuerServer, issuer_server, server_tls
from tests.adapters.issuer_tokens import FIRST, SECOND, Clock, of, refused, token, until
from tests.support.builders.key_sets import document
from tests.support.builders.tokens import (
    AUDIENCE,
    ISSUER,
    NOW,
    SECRET,
    claims,
    signed,
    signed_header,
)


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
    """Return the settings of one issuer with a JWKS URL."""
    return of(IssuerSettings(issuer=ISSUER, audience=AUDIENCE, jwks_url=server.url))


async def test_keys_are_read_once_for_many_tokens(issuer: IssuerServer) -> None:
    async with trusting(settings(issuer)) as trusted:
        assert trusted.ready
        for _ in range(10):
            assert (await trusted.verify(token(), now=NOW)).subject == "alice"
    assert issuer.requests == 1


@pytest.mark.fault("R21", heals="a new key is fetched with the first token that names it")
async def test_new_key_is_fetched_when_a_token_has_its_id(issuer: IssuerServer) -> None:
    async with trusting(settings(issuer)) as trusted:
        issuer.publish(FIRST, SECOND)
        assert await trusted.verify(token("second"), now=NOW)
        assert await trusted.verify(token("first"), now=NOW)
    assert issuer.requests == 2


async def test_token_of_a_withdrawn_key_is_refused(issuer: IssuerServer) -> None:
    async with trusting(settings(issuer)) as trusted:
        issuer.publish(SECOND)
        assert await trusted.verify(token("second"), now=NOW)
        assert await refused(trusted, token("first")) == "TokenKeyUnknown"


@pytest.mark.fault(
    "R21", heals="the issuer is asked once a minute, however many requests there are"
)
async def test_many_unknown_keys_cause_one_request_a_minute(
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


@pytest.mark.fault("R21", heals="known keys stay valid; one request a minute")
async def test_many_unknown_keys_cause_one_request_a_minute_during_an_outage(
    issuer: IssuerServer, clock: Clock
) -> None:
    async with trusting(settings(issuer), clock=clock) as trusted:
        issuer.respond(b"", status=503)
        for number in range(50):
            assert await refused(trusted, token(kid=f"unknown-{number}")) == "TokenKeyUnknown"
        assert issuer.requests == 2
        assert await trusted.verify(token(), now=NOW)


@pytest.mark.parametrize("unsigned", ["other-algorithm", "other-issuer", "no-token"])
async def test_only_an_unknown_key_causes_a_request(issuer: IssuerServer, unsigned: str) -> None:
    texts = {
        "other-algorithm": signed_header({"alg": "none", "kid": "x"}),
        "other-issuer": signed(claims(iss="other"), headers={"kid": "x"}),
        "no-token": "x",
    }
    async with trusting(settings(issuer)) as trusted:
        assert await refused(trusted, texts[unsigned]) != "TokenKeyUnknown"
    assert issuer.requests == 1


@pytest.mark.fault(
    "R21", heals="the last valid keys are used, and new ones when it is available again"
)
async def test_last_keys_are_used_during_an_outage(clock: Clock) -> None:
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


INVALID_RESPONSES = [
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
    pytest.param(200, document(SECOND), {"Content-Length": "100000"}, id="shorter-than-announced"),
]


@pytest.mark.fault("R21", heals="huge, broken and redirected responses change nothing")
@pytest.mark.parametrize(("status", "body", "headers"), INVALID_RESPONSES)
async def test_invalid_response_does_not_replace_the_last_keys(
    issuer: IssuerServer, status: int, body: bytes, headers: dict[str, str]
) -> None:
    async with trusting(settings(issuer)) as trusted:
        issuer.respond(body, status=status, headers=headers)
        assert await refused(trusted, token("second")) == "TokenKeyUnknown"
        assert await trusted.verify(token(), now=NOW)
    assert issuer.requests == 2


@pytest.mark.parametrize(("status", "body", "headers"), INVALID_RESPONSES)
async def test_issuer_with_an_invalid_first_response_is_not_ready(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    issuer = issuer_server()
    issuer.respond(body, status=status, headers=headers)
    async with issuer.listening(), trusting(settings(issuer)) as trusted:
        assert not trusted.ready
        assert trusted.ages == {ISSUER: math.inf}
        assert await refused(trusted, token("second")) == "TokenKeyUnknown"


async def test_endless_key_set_is_refused(issuer: IssuerServer) -> None:
    async with trusting(settings(issuer)) as trusted:
        issuer.respond_endlessly()
        assert await refused(trusted, token("second")) == "TokenKeyUnknown"
        assert await trusted.verify(token(), now=NOW)


@pytest.mark.fault("R21", heals="tokens of known keys don't wait for an issuer that hangs")
async def test_known_keys_are_used_while_the_issuer_hangs(issuer: IssuerServer) -> None:
    async with trusting(settings(issuer)) as trusted:
        issuer.hang()
        waiting = asyncio.create_task(refused(trusted, token("second")))
        await until(lambda: issuer.requests == 2)
        assert await trusted.verify(token(), now=NOW)
        assert not waiting.done()
        assert await waiting == "TokenKeyUnknown"


async def test_unavailable_issuer_does_not_affect_the_others(
    issuer: IssuerServer, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    down = IssuerSettings(
        issuer="down",
        audience=AUDIENCE,
        jwks_url="http://127.0.0.1:1/jwks",
        prefixes=NamePrefixes(subject="down:", groups="down:", scopes="down:"),
    )
    local = IssuerSettings(
        issuer="local",
        audience=AUDIENCE,
        secret_file=tmp_path / "secret",
        prefixes=NamePrefixes(subject="local:", groups="local:", scopes="local:"),
    )
    remote = IssuerSettings(issuer=ISSUER, audience=AUDIENCE, jwks_url=issuer.url)
    async with trusting(of(down, local, remote)) as trusted:
        assert trusted.ready
        assert await trusted.verify(token(), now=NOW)
        text = signed(claims(iss="local"), private=SECRET)
        verified = await trusted.verify(text, now=NOW)
        assert (verified.issuer, verified.subject) == ("local", "local:alice")
        text = signed(claims(iss="down"), private=SECRET)
        assert await refused(trusted, text) == "TokenKeyUnknown"


async def test_issuer_over_tls_needs_a_trusted_certificate(tmp_path: Path) -> None:
    issuer, ca = issuer_server(FIRST), tmp_path / "ca.pem"
    async with issuer.listening(server_tls(ca)):
        async with trusting(settings(issuer)) as trusted:
            assert not trusted.ready
        assert issuer.requests == 0
        known = dataclasses.replace(settings(issuer).issuers[0], ca_file=ca)
        async with trusting(of(known)) as trusted:
            assert await trusted.verify(token(), now=NOW)


async def test_ca_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("junk")
    url = IssuerSettings(
        issuer=ISSUER, audience=AUDIENCE, jwks_url="https://x", ca_file=tmp_path / "ca.pem"
    )
    with pytest.raises(InvalidSettings, match="caFile"):
        await trusting(of(url)).__aenter__()


async def test_revocation_applies_to_the_next_verification(issuer: IssuerServer) -> None:
    revocations = [Revocations()]
    revoked = lambda verified: revocations[0].why(verified)  # noqa: E731 - the set is replaced below
    async with trusting(settings(issuer), revoked=revoked) as trusted:
        assert await trusted.verify(token(), now=NOW)
        revocations[0] = Revocations.parse({"sub": "alice"})
        assert await refused(trusted, token()) == "TokenRevoked"


async def test_shutdown_does_not_wait_for_an_issuer_that_hangs(issuer: IssuerServer) -> None:
    async with trusting(settings(issuer)) as trusted:
        issuer.hang()
        waiting = asyncio.create_task(refused(trusted, token("second")))
        await until(lambda: issuer.requests == 2)
        waiting.cancel()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("read ")]
