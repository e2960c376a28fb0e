"""Metrics of a kubelet over TLS, and each way in which the request can fail."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from aiohttp import web

from dev.servers.objectstore import Certificate
from roadstead.errors import UsageError
from roadstead.usage import kubelet
from roadstead.usage.cadvisor import Readings
from roadstead.usage.kubelet import Identity, KubeletEndpoint, Kubelets
from roadstead.usage.server_metrics import LlamaServers
from tests.support import certificates
from tests.support.builders.metric_pages import LLAMA, POD, WANTED, container

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
PAGE = container(100, 200, 1.5)


@contextlib.asynccontextmanager
async def serving(answer: Answer, certificate: Certificate | None = None) -> AsyncIterator[int]:
    """Serve every request with `answer`, with TLS if there is a certificate; yields the port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.certificate, certificate.key)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(certificate.authority)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def fixed(
    status: int = 200, body: bytes = PAGE.encode(), headers: Mapping[str, str] | None = None
) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return answer


async def read(identity: Identity, port: int, *, timeout: float = 60) -> Readings:
    async with Kubelets.opened(identity, timeout=timeout) as kubelets:
        return await kubelets.read(KubeletEndpoint(address="127.0.0.1", port=port), WANTED)


def identity(certificate: Certificate, authorization: str = "") -> Identity:
    return Identity(ca_file=str(certificate.authority), authorization=authorization)


async def refused(certificate: Certificate, answer: Answer, *, timeout: float = 60) -> UsageError:
    """Return the error for a response."""
    async with serving(answer, certificate) as port:
        with pytest.raises(UsageError) as raised:
            await read(identity(certificate), port, timeout=timeout)
    return raised.value


async def test_kubelet_is_queried_for_cadvisor_metrics_with_the_token(
    certificate: Certificate,
) -> None:
    asked: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.path, request.headers["Authorization"]))
        return web.Response(text=PAGE)

    async with serving(answer, certificate) as port:
        found = await read(identity(certificate, "Bearer token"), port)
    assert asked == [("/metrics/cadvisor", "Bearer token")]
    assert found[POD]["llama-server"].memory_bytes == 100


async def test_client_certificate_is_used_outside_a_pod(certificate: Certificate) -> None:
    shown: list[object] = []

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        shown.append(request.transport.get_extra_info("peercert"))
        return web.Response(text=PAGE)

    identity = Identity(
        ca_file=str(certificate.authority),
        cert_file=str(certificate.certificate),
        key_file=str(certificate.key),
    )
    async with serving(answer, certificate) as port:
        await read(identity, port)
    assert shown[0]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (500, "Refused"),
        (302, "Refused"),
    ],
)
async def test_refusal_of_a_kubelet_is_reported(
    certificate: Certificate, status: int, reason: str
) -> None:
    headers = {"Location": "https://127.0.0.1:1/"} if status == 302 else {}
    assert (await refused(certificate, fixed(status, headers=headers))).reason == reason


async def test_token_is_not_sent_if_the_certificate_is_not_trusted(
    certificate: Certificate, tmp_path: Path
) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    other = certificates.issue(tmp_path)
    async with serving(answer, certificate) as port:
        with pytest.raises(UsageError, match="not trusted") as raised:
            await read(identity(other, "Bearer token"), port)
    assert (raised.value.reason, asked) == ("Certificate", [])


async def test_missing_authority_is_named() -> None:
    with pytest.raises(UsageError, match="/no/such/ca") as raised:
        await read(Identity(ca_file="/no/such/ca"), 1)
    assert raised.value.reason == "Certificate"


async def test_closed_port_of_a_kubelet_is_unreachable(certificate: Certificate) -> None:
    async with serving(fixed(), certificate) as port:
        pass
    with pytest.raises(UsageError) as raised:
        await read(identity(certificate), port)
    assert raised.value.reason == "Unreachable"


async def test_endless_page_is_refused(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubelet, "MAX_BODY", 2**20)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(OSError):
            while True:
                await response.write(b"a" * 2**16)
        return response

    assert (await refused(certificate, answer)).reason == "TooLarge"


async def test_unrequested_compression_is_refused(certificate: Certificate) -> None:
    answer = fixed(body=gzip.compress(PAGE.encode()), headers={"Content-Encoding": "gzip"})
    assert (await refused(certificate, answer)).reason == "Refused"


async def test_incomplete_page_is_refused(certificate: Certificate) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100000"})
        await response.prepare(request)
        await response.write(PAGE.encode())
        assert request.transport is not None
        request.transport.abort()
        return response

    assert (await refused(certificate, answer)).reason == "Unreachable"


async def test_silent_kubelet_times_out(certificate: Certificate) -> None:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    assert (await refused(certificate, answer, timeout=0.2)).reason == "Timeout"


async def test_server_is_queried_with_its_own_key() -> None:
    keys: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        keys.append(request.headers.get("Authorization"))
        return web.Response(body=LLAMA if request.path == "/metrics" else b"")

    servers = LlamaServers.open(timeout=60)
    try:
        async with serving(answer) as port:
            found = await servers.read("127.0.0.1", port, key="secret")
            await servers.read("127.0.0.1", port, key="")
    finally:
        await servers.close()
    assert keys == ["Bearer secret", None]
    assert found.requests_deferred == 3


async def test_server_without_metrics_is_reported() -> None:
    servers = LlamaServers.open(timeout=60)
    try:
        async with serving(fixed(501)) as port:
            with pytest.raises(UsageError) as raised:
                await servers.read("127.0.0.1", port, key="")
    finally:
        await servers.close()
    assert raised.value.reason == "Refused"
