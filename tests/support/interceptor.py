"""An HTTP proxy for a real server that counts requests and can answer them itself.

toxiproxy can cut, slow down and block TCP; this proxy is for faults of single requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from dev.servers.objectstore import Certificate
from dev.servers.process import free_port

_HOP: Final = ("connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer")
_BODY_LIMIT: Final = 2**30


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """A request, before it is forwarded."""

    at: float
    """`time.monotonic()`"""
    method: str
    path: str
    """As sent, with its query."""
    body: bytes = dataclasses.field(repr=False)

    @property
    def writes(self) -> bool:
        """Whether it may write."""
        return self.method not in ("GET", "HEAD")

    @property
    def watches(self) -> bool:
        """Whether it is a watch of the API server."""
        return "watch=true" in self.path or "watch=1" in self.path


Before = Callable[[Asked], "web.Response | None"]
"""Returns an answer in place of the server's; None forwards the request."""
After = Callable[[Asked, int], None]
"""Called with an answer's status before the client receives it."""

Lines = Callable[[Asked, bytes], Iterable[bytes]]
"""Returns what the client receives in place of a line of a watch."""


class Cut(ConnectionError):
    """Raised by a hook: the client's connection is closed without an answer."""


class Interceptor:
    """The received requests, and the hooks of a test."""

    def __init__(self, upstream: str, trusted: ssl.SSLContext | None) -> None:
        self._upstream = upstream
        self._trusted = trusted
        self.asked: list[Asked] = []
        self.before: Before = lambda _: None
        self.after: After = lambda _asked, _status: None
        self.lines: Lines = lambda _asked, line: (line,)
        self.delay = 0.0
        """Seconds of delay before each request."""
        self._open: set[aiohttp.ClientResponse] = set()

    def close_watches(self) -> None:
        """Close the open watches."""
        for found in self._open:
            found.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle one request."""
        asked = Asked(
            at=time.monotonic(),
            method=request.method,
            path=request.raw_path,
            body=await request.read(),
        )
        self.asked.append(asked)
        await asyncio.sleep(self.delay)
        try:
            answer = self.before(asked)
            return answer if answer is not None else await self._forward(request, asked)
        except (Cut, aiohttp.ClientError):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)

    async def _forward(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        session: aiohttp.ClientSession = request.app[_SESSION]
        async with session.request(
            asked.method,
            URL(f"{self._upstream}{asked.path}", encoded=True),
            headers=_passing(request.headers),
            data=io.BytesIO(asked.body) if asked.body else None,
            ssl=self._trusted if self._trusted is not None else True,
            allow_redirects=False,
        ) as found:
            answer = web.StreamResponse(status=found.status, headers=_passing(found.headers))
            if not asked.watches:
                content = await found.read()
                self.after(asked, found.status)
                await answer.prepare(request)
                await answer.write(content)
            else:
                self.after(asked, found.status)
                await answer.prepare(request)
                await self._stream(asked, found, answer)
            await answer.write_eof()
            return answer

    async def _stream(
        self, asked: Asked, found: aiohttp.ClientResponse, answer: web.StreamResponse
    ) -> None:
        rest = b""
        self._open.add(found)
        try:
            async for chunk in found.content.iter_any():
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    for sent in self.lines(asked, line):
                        await answer.write(sent + b"\n")
        finally:
            self._open.discard(found)


_SESSION = web.AppKey("session", aiohttp.ClientSession)


def _passing(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Headers without those of one connection."""
    return CIMultiDict((key, value) for key, value in headers.items() if key.lower() not in _HOP)


@contextlib.asynccontextmanager
async def running_interceptor(
    upstream: str,
    *,
    trusted: ssl.SSLContext | None = None,
    shown: Certificate | None = None,
) -> AsyncIterator[tuple[Interceptor, str]]:
    """Run a proxy for `upstream` (`http[s]://HOST:PORT`); yields it and its address.

    It serves TLS with the certificate `shown` and verifies upstream with `trusted`. The Host header
    is not changed, since signatures cover it.
    """
    interceptor = Interceptor(upstream, trusted)
    app = web.Application(client_max_size=_BODY_LIMIT)
    app.router.add_route("*", "/{path:.*}", interceptor.handle)
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    ) as session:
        app[_SESSION] = session
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
        await runner.setup()
        port = free_port()
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=_context(shown))
        await site.start()
        try:
            yield interceptor, f"{'https' if shown else 'http'}://127.0.0.1:{port}"
        finally:
            await runner.cleanup()


def _context(shown: Certificate | None) -> ssl.SSLContext | None:
    if shown is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown.certificate, shown.key)
    return context
