"""What the operator consists of, built from its settings: caches, queues, reconcilers."""

from __future__ import annotations

import dataclasses
from typing import Final

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
from roadstead.controllers.status_writer import StatusWriter
from roadstead.controllers.transfers.running_transfers import Transfers
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.children import Children
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.kube_events import EventRecorder
from roadstead.kube.resources import MODELS, MODELSERVES, RESOURCECONTRACTS, Resource
from roadstead.kube.watch_cache import WatchCache
from roadstead.manifests.rendering import load_templates
from roadstead.process import wiring
from roadstead.process.leadership import Leadership
from roadstead.store.store_client import MinioStore
from roadstead.tokens.receipts import ReceiptVerifier
from roadstead.usage.figures import ShownUsage
from roadstead.watching.watched_kinds import WatchedKinds

RECONCILE_WORKERS: Final = 16


def _paths(model: Model) -> tuple[str, ...]:
    """The index of Models: the object's path, so that no two Models share one."""
    return (model.object_path,)


class Components:
    """The caches, queues and reconcilers of one process, wired together."""

    def __init__(
        self, settings: OperatorSettings, client: KubeClient, leadership: Leadership
    ) -> None:
        self._settings = settings
        self._client = client
        fence = leadership.fence
        self.cache = WatchCache({**INDEXES, MODELS: _paths}, PROJECTIONS)
        self._children = Children(client, self.cache)
        self._admitted = AdmittedServes()
        self.receipt_keys = wiring.receipt_keys(settings, client, on_read=self._use_keys)
        load_templates("modelserve")
        self._usage = ContractUsage(self._admitted, settings.devices)
        self.feed, self.ledger = wiring.ledger(settings, client, self.cache, fence)
        self.queues: dict[Resource, WorkQueue] = {}
        orphans = Orphans(
            client=client, cache=self.cache, pull_secrets=wiring.copied_sources(settings)
        )
        self.orphans = WorkQueue("orphan", orphans.reconcile, workers=1)
        self.dispatch = Dispatch(
            cache=self.cache,
            queues=self.queues,
            object_metrics=ObjectMetrics(self.cache),
            ledger_feed=self.feed,
            usage=self._usage,
            leads=leadership.acquired.is_set,
            on_deleted=self._forget,
            orphans=self.orphans,
        )
        self.watched = WatchedKinds(client, self.cache, changed=self.dispatch.changed)
        self.transfers = Transfers(
            wiring.runner(settings, client, self.cache, fence),
            concurrency=settings.transfers,
            on_news=lambda uid: self.dispatch.wake(MODELS, uid),
        )
        self._store = MinioStore(dataclasses.replace(settings.transfer.store, fence=fence))
        self._urls = FetchUrls(
            client=client,
            store=self._store,
            lifetime=settings.url_lifetime,
            clock=utc_now,
            authorities=settings.transfer.store.authorities,
        )
        self.reach = wiring.store_reach(settings, client, self.cache, self._admitted)
        self.shown = ShownUsage() if settings.usage else None
        self._keys, self.routes, self.probe = wiring.gateway(
            settings, client, on_change=lambda uid: self.dispatch.wake(MODELSERVES, uid)
        )
        self.pulls = wiring.pull_secrets(settings, client, on_change=self._queue_serves)
        self._fill_queues()

    def _fill_queues(self) -> None:
        """Create the reconciler and the queue of each kind."""
        events = EventRecorder(self._client, instance=self._settings.instance)
        written = self.dispatch.status_written
        status = StatusWriter(self._client, self.cache, events, on_written=written)
        models, serves = self._models(status), self._serves(status)
        contracts = ContractReconciler(
            cache=self.cache,
            usage=self._usage,
            status=status,
            wake=lambda name: self.queues[MODELSERVES].put(name),
            clock=utc_now,
        )
        self.queues.update(
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
            cache=self.cache,
            store=self._store,
            sources=Sources(
                self._client, namespace=settings.namespace, quant_endpoint=settings.quant_endpoint
            ),
            transfers=self.transfers,
            status=status,
            default=wiring.default_location(settings),
            admitted=self._admitted,
            kept=wiring.kept_objects(settings, self._store),
        )

    def _serves(self, status: StatusWriter) -> ServeReconciler:
        settings = self._settings
        return ServeReconciler(
            cache=self.cache,
            children=self._children,
            urls=self._urls,
            catalogue=ModelCatalogue(
                client=self._client,
                on_created=self.dispatch.model_created,
                quant=wiring.quant(settings),
            ),
            status=status,
            platform=wiring.platform(settings),
            admitted=self._admitted,
            guard=wiring.recheck(self.receipt_keys, self.cache, self._usage),
            keys=self._keys,
            pulls=self.pulls,
            routes=self.routes,
            reach=self.reach,
            missing=self.watched.missing,
            usage=self.shown,
        )

    def _use_keys(self, verifier: ReceiptVerifier) -> None:
        """Verify receipts with these keys, and count again if they changed."""
        if self._admitted.use(verifier):
            self.dispatch.recount()

    def _forget(self, uid: str) -> None:
        """Forget a deleted object."""
        parts = (self._admitted, self._children, self._urls, self._keys, self.pulls, self.routes)
        for part in parts:
            if part is not None:
                part.forget(uid)

    def _queue_serves(self) -> None:
        """Reconcile every server."""
        for name in self.cache.names(MODELSERVES):
            self.queues[MODELSERVES].put(name)
