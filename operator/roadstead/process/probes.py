"""The server of probes and metrics of every process, and the routes of the operator's."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from roadstead.listeners import listening_socket

REPLICA_METRICS: Final = (
    "roadstead_leader",
    "roadstead_lease_transitions",
    "roadstead_event_loop_lag_seconds",
    "roadstead_watch_silence_seconds",
    "roadstead_trust_file_valid",
)
"""Our metrics that every replica exposes. Only the leader exposes the others: with two replicas
their sums would be doubled."""

Check = Callable[[], str]
"""Returns a fault, or an empty string."""


@contextlib.asynccontextmanager
async def serving(routes: Sequence[web.RouteDef], host: str, port: int) -> AsyncIterator[int]:
    """Serve plain HTTP at an address; yields its port."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listening_socket(host, port)).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def operator_probes(
    *, healthy: Check, ready: Check, leads: Callable[[], bool]
) -> list[web.RouteDef]:
    """Return the routes of the operator's `/healthz`, `/readyz` and `/metrics`."""
    return [
        web.get("/healthz", _check(healthy)),
        web.get("/readyz", _check(ready)),
        web.get("/metrics", _metrics(_Shown(leads))),
    ]


def _check(check: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.Response:
        fault = check()
        return web.Response(text=fault or "ok", status=503 if fault else 200)

    return answer


class _Shown(Collector):
    """The metrics that this replica exposes."""

    def __init__(self, leads: Callable[[], bool]) -> None:
        self._leads = leads

    def collect(self) -> Iterator[Metric]:
        everything = self._leads()
        for family in REGISTRY.collect():
            if (
                everything
                or not family.name.startswith("roadstead_")
                or family.name in REPLICA_METRICS
            ):
                yield family


def _metrics(shown: _Shown) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(shown),
            headers={"Content-Type": CONTENT_TYPE_LATEST},
        )

    return answer
