"""What each server of ours needs beside what it serves: probes, metrics, revocations, an end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

from roadstead.api.raw import Raw, section
from roadstead.issuers.trust import TrustedIssuers
from roadstead.kube.resources import CONFIGMAPS
from roadstead.kube.watch import Scope, Watcher
from roadstead.kube.watch_cache import WatchCache
from roadstead.tokens.claims import Claims
from roadstead.tokens.revocations import Revocations

JWKS_AGE: Final = Gauge(
    "roadstead_issuer_keys_age_seconds", "Time since an issuer's keys were last read.", ["issuer"]
)
WATCH_SILENCE: Final = Gauge(
    "roadstead_watch_silence_seconds",
    "Time since the last event or bookmark of a watch.",
    ["resource"],
)


class Probes:
    """/healthz, /readyz and /metrics; `not_ready` says why no request should come, or nothing."""

    def __init__(self, not_ready: Callable[[], str], watchers: Sequence[Watcher]) -> None:
        self._not_ready = not_ready
        self._watchers = watchers
        self.tokens: TrustedIssuers | None = None
        """Whose keys' ages are told, once they are there."""

    def health_routes(self) -> list[web.RouteDef]:
        """/healthz and /readyz, for an aiohttp application."""
        return [web.get("/healthz", _healthy), web.get("/readyz", self._ready)]

    def metrics_routes(self) -> list[web.RouteDef]:
        """/metrics."""
        return [web.get("/metrics", self._metrics)]

    def served(self, host: str, port: int) -> contextlib.AbstractAsyncContextManager[int]:
        """On an address of their own, whose port is told."""
        return serving([*self.health_routes(), *self.metrics_routes()], host, port)

    async def _ready(self, _: web.Request) -> web.Response:
        wrong = self._not_ready()
        return web.Response(text=wrong or "ok", status=503 if wrong else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        for watcher in self._watchers:
            WATCH_SILENCE.labels(watcher.name).set(watcher.silence())
        for issuer, age in (self.tokens.ages if self.tokens else {}).items():
            JWKS_AGE.labels(issuer).set(age)
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok")


@contextlib.asynccontextmanager
async def serving(routes: Sequence[web.RouteDef], host: str, port: int) -> AsyncIterator[int]:
    """Plain HTTP at an address of its own, whose port is told."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class WatchedRevocations:
    """The ConfigMap of revoked tokens, as a watch has it; without it nothing is revoked.

    While a cache that was dropped is filled again, what was revoked before still is.
    """

    def __init__(self, cache: WatchCache, *, namespace: str, name: str) -> None:
        self._cache = cache
        self._namespace = namespace
        self._name = name
        self._parsed: tuple[Raw | None, Revocations] = (None, Revocations())

    @property
    def scope(self) -> Scope:
        """What is to be watched."""
        return Scope(namespace=self._namespace, fields=f"metadata.name={self._name}")

    def why(self, claims: Claims) -> str | None:
        """As Revocations.why."""
        raw = self._cache.get(CONFIGMAPS, self._name, self._namespace)
        if CONFIGMAPS in self._cache.dropped:
            return self._parsed[1].why(claims)
        if raw is not self._parsed[0]:
            self._parsed = (raw, Revocations.parse(section(raw or {}, "data")))
        return self._parsed[1].why(claims)


@contextlib.asynccontextmanager
async def running(loops: Sequence[Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """With these running in the background until the end of the block."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def until_signalled() -> asyncio.Event:
    """Set by SIGTERM and SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
