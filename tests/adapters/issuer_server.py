"""An issuer on a real socket, whose responses are set by the test."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dev.servers.process import free_port
from tests.support.builders.key_sets import document, entry

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclasses.dataclass
class IssuerServer:
    """`answer` handles requests of /jwks, `requests` is their number."""

    answer: Answer
    requests: int = 0
    port: int = dataclasses.field(default_factory=free_port)
    scheme: str = "http"
    released: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """The URL of the keys."""
        return f"{self.scheme}://127.0.0.1:{self.port}/jwks"

    def publish(self, *entries: object) -> None:
        """Respond with these keys."""
        self.respond(document(*entries))

    def respond(
        self, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """Respond with this body."""

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(body=body, status=status, headers=headers)

        self.answer = answer

    def hang(self) -> None:
        """Do not respond until `released` is set."""

        async def answer(_: web.Request) -> web.StreamResponse:
            await self.released.wait()
            return web.Response(status=503)

        self.answer = answer

    def respond_endlessly(self) -> None:
        """Respond with an endless body, without a length."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                while not self.released.is_set():
                    await response.write(b" " * 65_536)
            return response

        self.answer = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Count the request and respond."""
        self.requests += 1
        return await self.answer(request)

    async def moved(self, _: web.Request) -> web.StreamResponse:
        """Respond with other keys, at the target of a redirect."""
        return web.Response(body=document(entry("EdDSA", "second", kid="second")))

    @contextlib.asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
        """Serve within the block, on the same port of 127.0.0.1 each time."""
        app = web.Application()
        app.router.add_get("/jwks", self.handle)
        app.router.add_get("/moved", self.moved)
        server = TestServer(app, port=self.port)
        await server.start_server(ssl=tls, shutdown_timeout=0.1)
        self.scheme = "https" if tls else "http"
        try:
            yield
        finally:
            self.released.set()
            await server.close()


def issuer_server(*entries: object) -> IssuerServer:
    """Create a server that will publish these keys; it isn't listening yet."""

    async def nothing(_: web.Request) -> web.StreamResponse:
        return web.Response(status=404)

    server = IssuerServer(answer=nothing)
    server.publish(*entries)
    return server


def server_tls(certificate: Path) -> ssl.SSLContext:
    """Return TLS for 127.0.0.1 with a self-signed certificate, written to `certificate`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(Encoding.PEM))
    private = certificate.with_suffix(".key")
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    return context
