"""`roadstead webhooks`: watches, endpoints, and shutdown without failed requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from roadstead.clocks import Clock, utc_now
from roadstead.errors import RoadsteadError
from roadstead.issuers.trust import TrustedIssuers, trusting
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.kube_events import EventRecorder
from roadstead.kube.resources import (
    CONFIGMAPS,
    MODELS,
    MODELSERVES,
    NAMESPACES,
    RESOURCECONTRACTS,
)
from roadstead.kube.watch import Watcher
from roadstead.ledger.outbox import Outbox
from roadstead.ledger.writer import LedgerWriter
from roadstead.listeners import listening_socket
from roadstead.process.http_servers import Probes, WatchedRevocations, running
from roadstead.process.lifetime import until_signalled
from roadstead.process.probes import serving
from roadstead_webhooks.admission.admission_records import AdmissionRecords
from roadstead_webhooks.admission.admission_service import Admission
from roadstead_webhooks.admission.callers import Callers, CertifiedCallers, PathCallers
from roadstead_webhooks.admission.counting import CountingCache
from roadstead_webhooks.admission.denials import Denials
from roadstead_webhooks.admission.endpoints import Endpoints
from roadstead_webhooks.admission.exposure import Exposure
from roadstead_webhooks.admission.gathering import Gatherer
from roadstead_webhooks.admission.offload import Offload
from roadstead_webhooks.admission.receipt_signing import Receipts
from roadstead_webhooks.admission.reserving import Reservations
from roadstead_webhooks.certificates.keeper import Keeper
from roadstead_webhooks.serving_tls import Certificates, FileCertificates
from roadstead_webhooks.webhook_settings import WebhookSettings

logger = logging.getLogger(__name__)

WATCH_STALE_SECONDS: Final = 120.0
"""A watch that was silent for longer counts as stale."""
KEEPALIVE_SECONDS: Final = 600.0
"""Above the 90 s of the API server's client, so that the client closes idle connections first: a
request on a connection that the server just closed fails."""
OPEN_REQUESTS_SECONDS: Final = 30.0
LINGERING_SECONDS: Final = 1.0
"""How long the rest of a body is read and discarded after the answer."""
RELOAD_SECONDS: Final = 5.0


class WebhookServer:
    """The parts of one process, wired together."""

    def __init__(
        self,
        settings: WebhookSettings,
        client: KubeClient,
        certificates: Certificates,
        *,
        clock: Clock = utc_now,
        exposure: Exposure | None = None,
    ) -> None:
        self._settings = settings
        self._exposure = exposure or Exposure(clock)
        self._callers = create_callers(settings)
        self._client = client
        self._certificates = certificates
        self._clock = clock
        self._receipts = Receipts(settings.receipts_folder)
        self._admitted = AdmittedServes(self._receipts.verifier)
        self._cache = CountingCache(self._admitted, settings.rules.devices)
        self._revocations = WatchedRevocations(
            self._cache, namespace=settings.namespace, name=settings.revocations
        )
        kinds = (RESOURCECONTRACTS, NAMESPACES, MODELS, MODELSERVES)
        self._watchers = [Watcher(client, self._cache, kind) for kind in kinds]
        revoked = self._revocations.scope
        self._watchers.append(Watcher(client, self._cache, CONFIGMAPS, scope=revoked))
        self._probes = Probes(self.not_ready)
        self._reservations = Reservations(client, self._cache, clock=clock)
        self._denials = Denials(EventRecorder(client, instance=settings.instance))
        self._records, self._ledger = self._create_records()
        self._tokens: TrustedIssuers | None = None
        self._endpoints: Endpoints | None = None
        self._listening = False
        self.port = 0
        """The HTTPS port, once it is served."""

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`, then drain."""
        async with contextlib.AsyncExitStack() as stack:
            host = self._settings.host
            for routes, port in (
                (self._probes.health_routes(), self._settings.probe_port),
                (self._probes.metrics_routes(), self._settings.http_port),
            ):
                await stack.enter_async_context(serving(routes, host, port))
            self._tokens = self._probes.tokens = await stack.enter_async_context(
                trusting(self._settings.tokens, revoked=self._revocations.why)
            )
            loops = [watcher.run() for watcher in self._watchers]
            if self._ledger is not None:
                loops.append(self._ledger.run())
            await stack.enter_async_context(
                running([*loops, self._certificates.run(), self._reload()])
            )
            await stack.enter_async_context(self._serve_webhooks(self._tokens))
            stopped = asyncio.create_task(stop.wait())
            stack.callback(stopped.cancel)
            await stopped
            await self._drain()

    def not_ready(self) -> str:
        """Return why the process is not ready; empty if it is."""
        silent = [w.name for w in self._watchers if w.silence() > WATCH_STALE_SECONDS]
        if silent:
            return f"stale watches: {', '.join(silent)}"
        if self._tokens is None or not self._tokens.ready:
            return "no keys of an issuer have been read yet"
        if self._endpoints is None or not self._listening:
            return "waiting for a certificate"
        return "draining" if self._endpoints.draining else ""

    @contextlib.asynccontextmanager
    async def _serve_webhooks(self, tokens: TrustedIssuers) -> AsyncIterator[None]:
        settings = self._settings
        gatherer = Gatherer(self._client, self._cache, tokens, self._receipts, clock=self._clock)
        offload = Offload()
        admission = Admission(gatherer, self._receipts, self._reservations, settings.rules, offload)
        self._endpoints = Endpoints(
            self._callers, self._exposure, admission, self._denials, offload, self._records
        )
        runner = _runner(self._endpoints)
        await runner.setup()
        try:
            context = await self._certificates.context()
            listener = listening_socket(settings.host, settings.port)
            await web.SockSite(runner, listener, ssl_context=context).start()
            self.port = runner.addresses[0][1]
            self._listening = True
            logger.info("serving the webhooks on port %d", self.port)
            yield
        finally:
            await runner.cleanup()
            await self._reservations.close()
            await self._denials.close()
            offload.close()

    def _create_records(self) -> tuple[AdmissionRecords | None, LedgerWriter | None]:
        """Return what records the answers; None without a ledger."""
        ledger = self._settings.ledger
        if ledger is None:
            return None, None
        outbox = Outbox()
        records = AdmissionRecords(
            outbox, clock=self._clock, operator=self._settings.rules.operator
        )
        return records, LedgerWriter(outbox, ledger.dsn_file, authorities=ledger.authorities)

    async def _drain(self) -> None:
        """Become unready, and answer requests during the grace period."""
        if self._endpoints:
            self._endpoints.draining = True
        logger.info("draining for %g s", self._settings.grace)
        await asyncio.sleep(self._settings.grace)

    async def _reload(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            try:
                self._callers.reload()
            except RoadsteadError as error:
                logger.warning("the path secrets could not be reloaded: %s", error)
            try:
                if self._receipts.reload():
                    logger.info("the receipt keys have changed")
                    self._admitted.use(self._receipts.verifier)
                    self._cache.recount()
            except RoadsteadError as error:
                logger.warning("the receipt keys could not be reloaded: %s", error)


def create_callers(settings: WebhookSettings) -> Callers:
    """Return how the API server is authenticated. Raises InvalidSettings."""
    if settings.api_server_ca is not None:
        return CertifiedCallers(names=settings.api_server_names)
    return PathCallers(settings.paths_folder)


def _runner(endpoints: Endpoints) -> web.AppRunner:
    app = web.Application()
    app.add_routes(endpoints.routes())
    return web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_SECONDS,
        shutdown_timeout=OPEN_REQUESTS_SECONDS,
        lingering_time=LINGERING_SECONDS,
    )


@contextlib.asynccontextmanager
async def _maintaining(
    settings: WebhookSettings, client: KubeClient, stop: asyncio.Event, exposure: Exposure
) -> AsyncIterator[None]:
    """Create and maintain certificates and keys; enter once they exist, or `stop` is set."""
    if settings.keeping is None:
        yield
        return
    keeper = Keeper(client, settings.keeping, clock=utc_now, exposure=exposure)
    begun, stopped = asyncio.create_task(keeper.begin()), asyncio.create_task(stop.wait())
    await asyncio.wait((begun, stopped), return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    stopped.cancel()
    async with running([keeper.run()]):
        yield


async def serve(settings: WebhookSettings) -> None:
    """`roadstead webhooks`: connect and serve until SIGTERM."""
    stop = until_signalled()
    exposure = Exposure(utc_now)
    client = await KubeClient.connect(settings.kubeconfig or None)
    try:
        async with _maintaining(settings, client, stop, exposure):
            if not stop.is_set():
                certificates = FileCertificates(
                    settings.tls_folder, client_ca=settings.api_server_ca
                )
                server = WebhookServer(settings, client, certificates, exposure=exposure)
                await server.run(stop)
    finally:
        await client.close()
