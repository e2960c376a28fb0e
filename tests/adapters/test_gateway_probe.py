"""The operator's probe through the gateway, and its interpretation of each response."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from dev.servers.objectstore import Certificate
from roadstead.authorities import Authorities
from roadstead.errors import InvalidSettings
from roadstead.gateway.probe import GatewayProbe, Reached
from roadstead.tokens.gateway_keys import PROBE_SCHEME, GatewayKey
from tests.support import certificates

UUID = "0b9c7f5e-6a0e-4a52-8f0e-2d5f3a1c9e77"
KEY = GatewayKey(b"k" * 32)
NOW = 1_800_000_000

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def gateway(certificate: Certificate, answer: Answer) -> AsyncIterator[str]:
    """Serve every request with `answer` over TLS; yields host:port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def fixed(
    status: int = 200, text: str = '{"status":"ok"}', headers: dict[str, str] | None = None
) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    return answer


async def probe_at(address: str, ca_file: Path, *, url: str = "") -> Reached:
    """Send a probe to an address; its URL defaults to that of the address."""
    authorities = Authorities(file=ca_file, system=False)
    probe = GatewayProbe.open(
        url or f"https://{address}", address=address, authorities=authorities, key=KEY
    )
    try:
        return await probe.check(UUID, now=NOW)
    finally:
        await probe.close()


async def result_of(certificate: Certificate, answer: Answer) -> Reached:
    """Return the result for a gateway's response."""
    async with gateway(certificate, answer) as address:
        return await probe_at(address, certificate.authority)


async def result_with_short_timeout(certificate: Certificate, answer: Answer) -> Reached:
    """Do the same with a timeout of half a second."""
    authorities = Authorities(file=certificate.authority, system=False)
    async with (
        gateway(certificate, answer) as address,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True),
            timeout=aiohttp.ClientTimeout(total=0.5),
        ) as session,
    ):
        probe = GatewayProbe(
            f"https://{address}", address="", authorities=authorities, key=KEY, session=session
        )
        return await probe.check(UUID, now=NOW)


async def test_response_of_the_server_is_accepted(certificate: Certificate) -> None:
    found = await result_of(certificate, fixed())
    assert (found.answered, found.reason) == (True, "Answered")
    assert f"/{UUID}" in found.message


async def test_probe_requests_health_with_its_credential(
    certificate: Certificate,
) -> None:
    seen: list[tuple[str, str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.method, request.path, request.headers["Authorization"]))
        return web.Response(text='{"status":"ok"}')

    await result_of(certificate, answer)
    ((method, path, credential),) = seen
    scheme, _, text = credential.partition(" ")
    assert (method, path, scheme) == ("GET", f"/{UUID}/health", PROBE_SCHEME)
    assert KEY.is_probe(text, UUID, now=NOW)


async def test_gateway_is_named_by_its_url_whatever_its_address(
    certificate: Certificate,
) -> None:
    hosts: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        hosts.append(request.headers["Host"])
        return web.Response(text='{"status":"ok"}')

    async with gateway(certificate, answer) as address:
        await probe_at(address, certificate.authority, url="https://127.0.0.1:8443")
    assert hosts == ["127.0.0.1:8443"]


async def test_certificate_of_an_unknown_authority_is_not_trusted(
    certificate: Certificate, tmp_path: Path
) -> None:
    other = certificates.issue(tmp_path)
    async with gateway(certificate, fixed()) as address:
        found = await probe_at(address, other.authority)
    assert (found.answered, found.reason) == (False, "GatewayCertificate")
    assert "not trusted" in found.message


async def test_certificate_of_another_host_is_not_trusted(certificate: Certificate) -> None:
    async with gateway(certificate, fixed()) as address:
        found = await probe_at(address, certificate.authority, url="https://models.example.com")
    assert (found.answered, found.reason) == (False, "GatewayCertificate")
    assert "models.example.com" in found.message


async def test_credential_is_not_sent_if_the_certificate_is_not_trusted(
    certificate: Certificate,
) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response()

    async with gateway(certificate, answer) as address:
        await probe_at(address, certificate.authority, url="https://models.example.com")
    assert seen == []


async def test_closed_port_of_a_gateway_is_unreachable(certificate: Certificate) -> None:
    async with gateway(certificate, fixed()) as address:
        pass
    found = await probe_at(address, certificate.authority)
    assert (found.answered, found.reason) == (False, "GatewayUnreachable")
    assert address in found.message


async def test_gateway_without_tls_is_unreachable(certificate: Certificate) -> None:
    def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        found = await probe_at(f"127.0.0.1:{port}", certificate.authority)
    assert (found.answered, found.reason) == (False, "GatewayUnreachable")


async def test_silent_gateway_times_out(certificate: Certificate) -> None:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    found = await result_with_short_timeout(certificate, answer)
    assert (found.answered, found.reason) == (False, "GatewayUnreachable")


async def test_response_without_its_body_times_out(certificate: Certificate) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(60)
        return response

    found = await result_with_short_timeout(certificate, answer)
    assert (found.answered, found.reason) == (False, "GatewayUnreachable")


async def test_endless_body_is_not_read(certificate: Certificate) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" " * 65536)
        return response

    found = await result_of(certificate, answer)
    assert (found.answered, found.reason) == (False, "NotRouted")


async def test_redirect_is_not_followed(certificate: Certificate) -> None:
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        if request.path == "/login":
            return web.Response(text='{"status":"ok"}')
        return web.Response(status=302, headers={"Location": "/login"})

    found = await result_of(certificate, answer)
    assert (found.answered, found.reason) == (False, "NotRouted")
    assert paths == [f"/{UUID}/health"]


@pytest.mark.parametrize("text", ["<html>welcome</html>", "", "[]", '{"status":"no"}', "\ud7ff"])
async def test_other_body_is_not_accepted(certificate: Certificate, text: str) -> None:
    found = await result_of(certificate, fixed(text=text))
    assert (found.answered, found.reason) == (False, "NotRouted")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "ProbeRefused"),
        (403, "ProbeRefused"),
        (404, "AuthUnavailable"),
        (503, "AuthUnavailable"),
    ],
)
async def test_denial_of_forward_auth_is_reported_as_such(
    certificate: Certificate, status: int, reason: str
) -> None:
    text = json.dumps({"error": {"code": status}})
    found = await result_of(certificate, fixed(status, text, {"Server": "roadstead"}))
    assert (found.answered, found.reason) == (False, reason)
    assert "forward auth" in found.message


async def test_unreadable_authority_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="absent"):
        GatewayProbe.open(
            "https://models.example.com",
            address="",
            authorities=Authorities(file=tmp_path / "absent", system=False),
            key=KEY,
        )
