"""What the webhooks, forward auth and the console share: probes, revocations, loops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

from roadstead.api.raw import Raw, section
from roadstead.issuers.trust import TrustedIssuers
from roadstead.kube.kind_sync import Scope
from roadstead.kube.resources import CONFIGMAPS
from roadstead.kube.watch_cache import WatchCache
from roadstead.process.probes import serving
from roadstead.tokens.claims import Claims
from roadstead.tokens.revocations import Revocations

JWKS_AGE: Final = Gauge(
    "roadstead_issuer_keys_age_seconds", "Time since an issuer's keys were last read.", ["issuer"]
)


class Probes:
    """/healthz, /readyz and /metrics; `not_ready` returns why the process is not ready, or ''."""

    def __init__(self, not_ready: Callable[[], str]) -> None:
        self._not_ready = not_ready
        self.tokens: TrustedIssuers | None = None
        """The issuers whose keys' ages are reported, once set."""

    def health_routes(self) -> list[web.RouteDef]:
        """Return the routes of /healthz and /readyz."""
        return [web.get("/healthz", _healthy), web.get("/readyz", self._ready)]

    def metrics_routes(self) -> list[web.RouteDef]:
        """Return the route of /metrics."""
        return [web.get("/metrics", self._metrics)]

    def served(self, host: str, port: int) -> contextlib.AbstractAsyncContextManager[int]:
        """Serve all routes on a separate address; yields its port."""
        return serving([*self.health_routes(), *self.metrics_routes()], host, port)

    async def _ready(self, _: web.Request) -> web.Response:
        reason = self._not_ready()
        return web.Response(text=reason or "ok", status=503 if reason else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        for issuer, age in (self.tokens.ages if self.tokens else {}).items():
            JWKS_AGE.labels(issuer).set(age)
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok")


class WatchedRevocations:
    """The ConfigMap of revoked tokens, from a watch; without it no token is revoked.

    While a dropped cache is filled again, the previous revocations apply.
    """

    def __init__(self, cache: WatchCache, *, namespace: str, name: str) -> None:
        self._cache = cache
        self._namespace = namespace
        self._name = name
        self._parsed: tuple[Raw | None, Revocations] = (None, Revocations())

    @property
    def scope(self) -> Scope:
        """The scope of the watch."""
        return Scope(namespace=self._namespace, fields=f"metadata.name={self._name}")

    def why(self, claims: Claims) -> str | None:
        """Return why a token is revoked, as Revocations.why does."""
        raw = self._cache.get(CONFIGMAPS, self._name, self._namespace)
        if CONFIGMAPS in self._cache.dropped:
            return self._parsed[1].why(claims)
        if raw is not self._parsed[0]:
            self._parsed = (raw, Revocations.parse(section(raw or {}, "data")))
        return self._parsed[1].why(claims)


@contextlib.asynccontextmanager
async def running(loops: Sequence[Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """Run these coroutines in the background until the end of the block."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
