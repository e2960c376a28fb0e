"""The operator: its parts, built from the settings, and its tasks until SIGTERM."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Coroutine, Iterator
from functools import partial
from typing import Any, Final

import kopf

from roadstead.api.model import Model
from roadstead.clocks import utc_now
from roadstead.controllers.cache_contents import PROJECTIONS
from roadstead.controllers.contract.contract_reconciler import ContractReconciler
from roadstead.controllers.contract_usage import ContractUsage
from roadstead.controllers.dispatch import Dispatch
from roadstead.controllers.ledger_feed import INDEXES
from roadstead.controllers.model.model_reconciler import ModelReconciler
from roadstead.controllers.model.model_sources import Sources
from roadstead.controllers.modelserve.fetch_urls import FetchUrls
from roadstead.controllers.modelserve.model_catalogue import ModelCatalogue
from roadstead.controllers.modelserve.modelserve_reconciler import ServeReconciler
from roadstead.controllers.object_metrics import ObjectMetrics
from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.controllers.orphans import Orphans
from roadstead.controllers.queue import WorkQueue
from roadstead.controllers.service_route import ServiceRoute
from roadstead.controllers.status_writer import StatusWriter
from roadstead.controllers.transfers.running_transfers import Transfers
from roadstead.controllers.usage.usage_collector import collecting
from roadstead.errors import KubeError, KubeRejected
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.children import Children
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.kube_events import EventRecorder
from roadstead.kube.resources import MODELS, MODELSERVES, RESOURCECONTRACTS, Resource
from roadstead.kube.watch_cache import WatchCache
from roadstead.manifests.service_routes import console_route, ping_route
from roadstead.process import wiring
from roadstead.process.gc_freeze import GcFreeze
from roadstead.process.health import Health, LoopLag
from roadstead.process.leadership import Leadership, leadership
from roadstead.process.lifetime import (
    cancel_all,
    done_before,
    forever,
    on_continued,
    on_signals,
    once_set,
)
from roadstead.process.probes import operator_probes, serving
from roadstead.store.store_client import MinioStore
from roadstead.tokens.receipts import ReceiptVerifier
from roadstead.usage.figures import ShownUsage
from roadstead.watching.watched_kinds import ROUTED, WATCHED, WatchedKinds
from roadstead.watching.watches import registry
from roadstead.watching.watches import settings as kopf_settings

logger = logging.getLogger(__name__)

RECONCILE_WORKERS: Final = 16
ADOPT_RETRY_SECONDS: Final = 2.0
"""The delay before another search for running transfers after it failed."""


def _paths(model: Model) -> tuple[str, ...]:
    """The index of Models: the object's path, so that no two Models share one."""
    return (model.object_path,)


class Operator:
    """The caches, queues and reconcilers of one process, wired together."""

    def __init__(
        self, settings: OperatorSettings, client: KubeClient, leadership: Leadership | None = None
    ) -> None:
        self._settings = settings
        self._client = client
        self._leadership = leadership or Leadership.without_election()
        fence = self._leadership.fence
        self._cache = WatchCache({**INDEXES, MODELS: _paths}, PROJECTIONS)
        self._children = Children(client, self._cache)
        self._admitted = AdmittedServes()
        self._receipt_keys = wiring.receipt_keys(settings, client, on_read=self._use_keys)
        self._usage = ContractUsage(self._admitted, settings.devices)
        self._feed, self._ledger = wiring.ledger(settings, client, self._cache, fence)
        self._queues: dict[Resource, WorkQueue] = {}
        orphans = Orphans(
            client=client, cache=self._cache, pull_secrets=wiring.copied_sources(settings)
        )
        self._orphans = WorkQueue("orphan", orphans.reconcile, workers=1)
        self._dispatch = Dispatch(
            cache=self._cache,
            queues=self._queues,
            object_metrics=ObjectMetrics(self._cache),
            ledger_feed=self._feed,
            usage=self._usage,
            leads=self._leads,
            on_deleted=self._forget,
            orphans=self._orphans,
        )
        self._watched = WatchedKinds(client, self._cache, changed=self._dispatch.changed)
        self._lag = LoopLag()
        self._synced = False
        self._transfers = Transfers(
            wiring.runner(settings, client, self._cache, fence),
            concurrency=settings.transfers,
            on_news=lambda uid: self._dispatch.wake(MODELS, uid),
        )
        self._store = MinioStore(dataclasses.replace(settings.transfer.store, fence=fence))
        self._urls = FetchUrls(
            client=client,
            store=self._store,
            lifetime=settings.url_lifetime,
            clock=utc_now,
            authorities=settings.transfer.store.authorities,
        )
        self._reach = wiring.store_reach(settings, client, self._cache, self._admitted)
        self._shown = ShownUsage() if settings.usage else None
        self._keys, self._routes, self._probe = wiring.gateway(
            settings, client, on_change=lambda uid: self._dispatch.wake(MODELSERVES, uid)
        )
        self._pulls = wiring.pull_secrets(settings, client, on_change=self._queue_serves)
        self._fill_queues()

    def _fill_queues(self) -> None:
        """Create the reconciler and the queue of each kind."""
        events = EventRecorder(self._client, instance=self._settings.instance)
        written = self._dispatch.status_written
        status = StatusWriter(self._client, self._cache, events, on_written=written)
        models, serves = self._models(status), self._serves(status)
        contracts = ContractReconciler(
            cache=self._cache,
            usage=self._usage,
            status=status,
            wake=lambda name: self._queues[MODELSERVES].put(name),
            clock=utc_now,
        )
        self._queues.update(
            {
                MODELS: WorkQueue("model", models.reconcile, workers=RECONCILE_WORKERS),
                MODELSERVES: WorkQueue("modelserve", serves.reconcile, workers=RECONCILE_WORKERS),
                RESOURCECONTRACTS: WorkQueue("resourcecontract", contracts.reconcile, workers=1),
            }
        )

    def _models(self, status: StatusWriter) -> ModelReconciler:
        settings = self._settings
        return ModelReconciler(
            client=self._client,
            cache=self._cache,
            store=self._store,
            sources=Sources(
                self._client, namespace=settings.namespace, quant_endpoint=settings.quant_endpoint
            ),
            transfers=self._transfers,
            status=status,
            default=wiring.default_location(settings),
            admitted=self._admitted,
            kept=wiring.kept_objects(settings, self._store),
        )

    def _serves(self, status: StatusWriter) -> ServeReconciler:
        settings = self._settings
        return ServeReconciler(
            cache=self._cache,
            children=self._children,
            urls=self._urls,
            catalogue=ModelCatalogue(
                client=self._client,
                on_created=self._dispatch.model_created,
                quant=wiring.quant(settings),
            ),
            status=status,
            platform=wiring.platform(settings),
            guard=wiring.recheck(self._receipt_keys, self._cache, self._usage),
            keys=self._keys,
            pulls=self._pulls,
            routes=self._routes,
            reach=self._reach,
            missing=self._watched.missing,
            usage=self._shown,
        )

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Run as standby and leader until SIGTERM, SIGINT or `stop`.

        Raises LeaseLost, and ClusterRestored if etcd was restored: caches and work in progress are
        based on a state that no longer exists.
        """
        try:
            await self._run(stop)
        finally:
            if self._probe is not None:
                await self._probe.close()

    async def _run(self, stop: asyncio.Event | None) -> None:
        """Serve probes, synchronize the caches, then lead or wait for the Lease.

        The caches are synced before this replica becomes a candidate, so that it can work at once.
        """
        host, port = self._settings.http_host, self._settings.http_port
        signalled = stop is None
        stop = stop or asyncio.Event()
        if signalled:
            on_signals(stop)
            on_continued(self._leadership.loss_reason)
        health = Health(
            queues=(*self._queues.values(), self._orphans),
            lag=self._lag,
            watches=self._watched,
            leadership=self._leadership,
        )
        probes = operator_probes(healthy=health.check, ready=self._check_ready, leads=self._leads)
        async with serving(probes, host, port):
            freezing = asyncio.create_task(GcFreeze(self._cache.__len__).run())
            if not await done_before(stop, self._watched.fill()):
                return
            self._synced = True
            logger.info("the operator is ready")
            works = (
                self._leadership.run(),
                self._lag.measure(),
                self._lead(),
                self._watched.until_restored(),
            )
            tasks = [asyncio.create_task(work) for work in works] + [freezing]
            for task in tasks:
                # None of them should end: the process exits rather than running without it.
                task.add_done_callback(lambda _: stop.set())
            election, *others = tasks
            try:
                await self._watch(stop, others, signalled=signalled)
            finally:
                await self._release_lease(election)
        logger.info("the operator has stopped")

    async def _release_lease(self, election: asyncio.Task[None]) -> None:
        """Release the Lease after the last write; raises LeaseLost."""
        try:
            await cancel_all([election])
        finally:
            await self._leadership.release()

    async def _lead(self) -> None:
        """Run the queues from when this replica leads until cancelled.

        On cancellation the queues stop first, then transfers, which keep their uploads, while the
        ledger's outbox is written.
        """
        await self._leadership.acquired.wait()
        for resource in WATCHED:
            for raw in self._cache.all(resource):
                self._dispatch.record(resource, raw)
        self._dispatch.collect_orphans()
        await self._adopt()
        if self._receipt_keys is not None:
            # Read first, since without keys every server counts.
            await self._receipt_keys.verifier()
        works = [queue.run() for queue in (*self._queues.values(), self._orphans)]
        works += [self._resync(), *self._collecting()]
        works.extend(route.run() for route in self._service_routes())
        if self._reach is not None:
            works.append(self._reach.run())
        if self._pulls is not None:
            works.append(self._pulls.run())
        working = asyncio.gather(*works)
        ledger = asyncio.ensure_future(self._ledger.run() if self._ledger else forever())
        try:
            await asyncio.wait((working, ledger), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_all([working])
            ledger.cancel()
            await self._transfers.stop_all()
            await cancel_all([ledger])
            if self._routes is not None:
                await self._routes.close()

    async def _adopt(self) -> None:
        """Adopt running transfers before new ones start, since they count as running."""
        while True:
            try:
                await self._transfers.adopt()
                return
            except KubeRejected as error:
                # Not retried: starting a transfer that already runs finds it.
                logger.warning("not allowed to list running transfers: %s", error)
                return
            except KubeError as error:
                logger.warning("cannot list running transfers: %s", error)
                await asyncio.sleep(ADOPT_RETRY_SECONDS)

    async def _watch(
        self, stop: asyncio.Event, tasks: list[asyncio.Task[None]], *, signalled: bool
    ) -> None:
        """Run kopf's watches until `stop`, or until kopf exits, which is an error.

        kopf is cancelled, not stopped: it would wait 5 s for every task that was created while it
        ran, including ours, and then cancel them. Our `tasks` are cancelled before.
        """
        handlers = registry(
            self._watched,
            [*WATCHED, *(ROUTED if self._settings.gateway else ())],
            kubeconfig=self._settings.kubeconfig,
        )
        started = asyncio.Event()
        running = kopf.operator(
            registry=handlers,
            settings=kopf_settings(),
            clusterwide=True,
            standalone=True,
            ready_flag=started,
        )
        watching = asyncio.create_task(running)
        watching.add_done_callback(lambda _: stop.set())
        try:
            await done_before(stop, once_set(started))
            self._watched.expect(WATCHED)
            if signalled:
                on_signals(stop)  # kopf has replaced the handlers.
            await stop.wait()
        finally:
            try:
                await cancel_all(tasks)
            finally:
                await cancel_all([watching])

    def _collecting(self) -> Iterator[Coroutine[Any, Any, None]]:
        """The measurement of usage, if it is enabled."""
        if self._shown is not None:
            yield collecting(
                self._client,
                self._cache,
                settings=self._settings,
                shown=self._shown,
                wake=self._queues[MODELSERVES].put,
                sinks=() if self._feed is None else (self._feed.add_samples,),
            )

    def _service_routes(self) -> Iterator[ServiceRoute]:
        """The routes of the console and of the embedded gateway, as far as they are installed."""
        gateway = self._settings.gateway
        if gateway is None:
            return
        console = partial(console_route, routing=gateway.routing)
        for service, render in ((gateway.console, console), (gateway.service, ping_route)):
            if service:
                yield ServiceRoute(
                    self._client, render, service=service, namespace=self._settings.namespace
                )

    async def _resync(self) -> None:
        """Queue every object periodically, spread over a minute or the interval."""
        while True:
            await asyncio.sleep(self._settings.resync)
            await self._watched.relist_all()
            spread = min(60.0, self._settings.resync)
            for resource, queue in self._queues.items():
                names = self._cache.names(resource)
                for place, name in enumerate(names):
                    queue.put(name, delay=spread * place / len(names))

    def _use_keys(self, verifier: ReceiptVerifier) -> None:
        """Verify receipts with these keys, and count again if they changed."""
        if self._admitted.use(verifier):
            self._dispatch.recount()

    def _forget(self, uid: str) -> None:
        """Forget a deleted object."""
        parts = (self._admitted, self._children, self._urls, self._keys, self._pulls, self._routes)
        for part in parts:
            if part is not None:
                part.forget(uid)

    def _queue_serves(self) -> None:
        """Reconcile every server."""
        for name in self._cache.names(MODELSERVES):
            self._queues[MODELSERVES].put(name)

    def _leads(self) -> bool:
        return self._leadership.acquired.is_set()

    def _check_ready(self) -> str:
        return "" if self._synced else "waiting for the API server"


async def run(settings: OperatorSettings) -> None:
    """`roadstead operator`: connect and run until SIGTERM; raises LeaseLost, ClusterRestored."""
    async with leadership(settings) as part:
        client = await KubeClient.connect(settings.kubeconfig or None, fence=part.fence)
        try:
            await Operator(settings, client, part).run()
        finally:
            await client.close()
