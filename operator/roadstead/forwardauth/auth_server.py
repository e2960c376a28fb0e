"""`roadstead forward-auth`: watches, endpoints, and shutdown without failed requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from roadstead.clocks import Clock, utc_now
from roadstead.forwardauth.accesslog import AccessLog
from roadstead.forwardauth.auth_settings import ForwardAuthSettings
from roadstead.forwardauth.endpoint import VerifyEndpoint
from roadstead.forwardauth.server_index import Servers
from roadstead.issuers.trust import TrustedIssuers, trusting
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import (
    CONFIGMAPS,
    MODELSERVES,
    NAMESPACES,
    RESOURCECONTRACTS,
)
from roadstead.kube.watch import Watcher
from roadstead.kube.watch_state import WATCH_TIMEOUT_SECONDS
from roadstead.listeners import listening_socket
from roadstead.process.http_servers import Probes, WatchedRevocations, running
from roadstead.process.lifetime import until_signalled
from roadstead.tokens.gateway_keys import GatewayKey
from roadstead.tokens.parsing import MAX_TOKEN_BYTES

logger = logging.getLogger(__name__)

KEEPALIVE_SECONDS: Final = 600.0
"""Above the 90 s of Traefik's client, so that the client closes idle connections first: a request
on a connection that the server just closed fails."""
OPEN_REQUESTS_SECONDS: Final = 5.0
MAX_FIELD_BYTES: Final = 2 * MAX_TOKEN_BYTES
"""Bytes of one header: the largest token, and other cookies."""
MAX_HEADERS: Final = 64
MAX_LINE_BYTES: Final = 1024


class ForwardAuth:
    """The parts of one process, wired together."""

    def __init__(
        self,
        settings: ForwardAuthSettings,
        client: KubeClient,
        key: GatewayKey,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._settings = settings
        self._key = key
        self._clock = clock
        self._servers = Servers()
        self._revocations = WatchedRevocations(
            self._servers, namespace=settings.namespace, name=settings.revocations
        )
        self._watchers = self._create_watchers(client)
        self._probes = Probes(self.not_ready)
        self._tokens: TrustedIssuers | None = None
        self._endpoint: VerifyEndpoint | None = None
        self.port = 0
        """The port of /verify, once it is served."""
        self.probe_port = 0
        """The port of probes and metrics, once they are served."""

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`, then drain."""
        settings = self._settings
        async with contextlib.AsyncExitStack() as stack:
            self.probe_port = await stack.enter_async_context(
                self._probes.served(settings.host, settings.probe_port)
            )
            self._tokens = self._probes.tokens = await stack.enter_async_context(
                trusting(settings.tokens, revoked=self._revocations.why)
            )
            await stack.enter_async_context(running([each.run() for each in self._watchers]))
            await stack.enter_async_context(self._serve_verdicts(self._tokens))
            await stop.wait()
            await self._drain()

    def not_ready(self) -> str:
        """Return why the process is not ready; empty if it is."""
        if self._endpoint is None or not self.port:
            return "starting"
        if wrong := self._unavailable():
            return wrong[1]
        return "draining" if self._endpoint.draining else ""

    def _unavailable(self) -> tuple[str, str] | None:
        """Return why no verdict is possible, as reason and message."""
        if self._tokens is None or not self._tokens.ready:
            return "KeysMissing", "no keys of an issuer have been read yet; retry"
        silence = max(watcher.silence() for watcher in self._watchers)
        if silence == float("inf"):
            return "NotSynced", "the cache is not synced yet; retry"
        if silence > self._settings.max_staleness:
            return "Stale", "the cache is stale: the API server does not respond; retry"
        return None

    def _create_watchers(self, client: KubeClient) -> list[Watcher]:
        # A silent watch is restarted three times before the cache is stale.
        silence = min(WATCH_TIMEOUT_SECONDS, self._settings.max_staleness / 3)
        contracts = (RESOURCECONTRACTS, NAMESPACES) if self._settings.contracts else ()
        watchers = [
            Watcher(client, self._servers, kind, silence=silence)
            for kind in (MODELSERVES, *contracts)
        ]
        scope = self._revocations.scope
        return [*watchers, Watcher(client, self._servers, CONFIGMAPS, scope=scope, silence=silence)]

    @contextlib.asynccontextmanager
    async def _serve_verdicts(self, tokens: TrustedIssuers) -> AsyncIterator[None]:
        settings = self._settings
        log = AccessLog(
            sys.stderr if settings.log_level in ("debug", "info") else None,
            as_json=settings.log_format == "json",
            clock=self._clock,
        )
        self._endpoint = VerifyEndpoint(
            tokens,
            self._servers,
            self._key,
            log,
            origin=settings.origin,
            cors_origins=settings.cors_origins,
            contracts=settings.contracts,
            unavailable=self._unavailable,
            clock=self._clock,
        )
        runner = web.ServerRunner(
            _create_server(self._endpoint), shutdown_timeout=OPEN_REQUESTS_SECONDS
        )
        await runner.setup()
        try:
            listener = listening_socket(settings.host, settings.port)
            await web.SockSite(runner, listener).start()
            self.port = runner.addresses[0][1]
            logger.info("serving verdicts on port %d", self.port)
            yield
        finally:
            await runner.cleanup()
            log.flush()

    async def _drain(self) -> None:
        """Become unready, and answer requests during the grace period."""
        if self._endpoint:
            self._endpoint.draining = True
        logger.info("draining for %g s", self._settings.grace)
        await asyncio.sleep(self._settings.grace)


def _create_server(endpoint: VerifyEndpoint) -> web.Server:
    """Return a server without a router, which would take longer than the verdict."""
    return web.Server(
        endpoint,
        access_log=None,
        keepalive_timeout=KEEPALIVE_SECONDS,
        max_line_size=MAX_LINE_BYTES,
        max_field_size=MAX_FIELD_BYTES,
        max_headers=MAX_HEADERS,
        lingering_time=1.0,
    )


async def serve(settings: ForwardAuthSettings) -> None:
    """`roadstead forward-auth`: connect and serve until SIGTERM."""
    stop = until_signalled()
    key = GatewayKey.read(settings.key_file)
    client = await KubeClient.connect(settings.kubeconfig or None)
    try:
        await ForwardAuth(settings, client, key).run(stop)
    finally:
        await client.close()
