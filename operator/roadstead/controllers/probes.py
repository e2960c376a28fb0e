"""The operator's own HTTP server: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], str]
"""Says what is wrong; empty if nothing is."""


@contextlib.asynccontextmanager
async def serving(host: str, port: int, *, healthy: Check, ready: Check) -> AsyncIterator[int]:
    """Serve within it; the port, which is another one if 0 was asked for."""
    app = web.Application()
    app.router.add_get("/healthz", _check(healthy))
    app.router.add_get("/readyz", _check(ready))
    app.router.add_get("/metrics", _metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _check(check: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.Response:
        wrong = check()
        return web.Response(text=wrong or "ok", status=503 if wrong else 200)

    return answer


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
