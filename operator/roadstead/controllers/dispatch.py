"""Dispatches each change of an object to the work queues, the ledger and the metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from roadstead.api.raw import Raw, section
from roadstead.controllers.contract_usage import ContractUsage
from roadstead.controllers.ledger_feed import LedgerFeed
from roadstead.controllers.object_metrics import ObjectMetrics
from roadstead.controllers.orphans import ORPHAN_SECONDS, orphaned
from roadstead.controllers.queue import WorkQueue
from roadstead.controllers.wakeups import ModelNews, Wakeup, models_of, wakeups
from roadstead.kube.resources import (
    CHILDREN,
    MODELS,
    MODELSERVES,
    RESOURCECONTRACTS,
    ROUTES,
    Resource,
)
from roadstead.kube.watch_cache import Name, WatchCache

RECOUNT_SECONDS: Final = 1.0
"""The delay before a contract's status is written after a change of its servers: the webhooks write
it too, and retry after each write of ours."""
COUNT_SECONDS: Final = 1.0
"""The delay before a Model counts its servers: many new servers cause one write."""


@dataclasses.dataclass(kw_only=True)
class Dispatch:
    """Receives each change of the cache."""

    cache: WatchCache
    queues: Mapping[Resource, WorkQueue]
    """One for each kind that is reconciled; filled before the first change."""
    object_metrics: ObjectMetrics
    ledger_feed: LedgerFeed | None
    usage: ContractUsage
    leads: Callable[[], bool]
    on_deleted: Callable[[str], None]
    """Called with the UID of each deleted object."""
    orphans: WorkQueue
    """The servers whose children may have lost their ModelServe."""
    _model_news: ModelNews = dataclasses.field(default_factory=ModelNews)

    def changed(self, resource: Resource, raw: Raw) -> None:
        """Handle an object that was created, changed or deleted."""
        self.record(resource, raw)
        for kind, key in self._affected(resource, raw):
            self._put(resource, kind, key)
        meta = section(raw, "metadata")
        if resource == MODELSERVES:
            self._recount((meta.get("namespace", ""), meta["name"]))
        if self.leads():
            self._collect(resource, raw)
        if self.cache.current(resource, raw) is None:
            self.on_deleted(meta.get("uid", ""))

    def status_written(self, resource: Resource, raw: Raw) -> None:
        """Queue the objects that depend on an object whose status we wrote, not the object."""
        self.record(resource, raw)
        own = raw["metadata"].get("namespace", ""), raw["metadata"]["name"]
        for kind, key in self._affected(resource, raw):
            if (kind, key) != (resource, own):
                self._put(resource, kind, key)
        if resource == MODELSERVES:
            self._recount(own)  # A grant counts.

    def model_created(self, model: Raw) -> None:
        """Handle a Model that this process created."""
        for each in self.cache.take(MODELS, model):
            self.changed(MODELS, each)

    def record(self, resource: Resource, raw: Raw) -> None:
        """Update metrics and ledger with a state of an object, if this replica leads."""
        if not self.leads():
            return
        self.object_metrics.update(resource, raw)
        if self.ledger_feed is not None:
            self.ledger_feed.update(resource, raw)

    def collect_orphans(self) -> None:
        """Queue the orphans of the time before this replica led."""
        for resource in (*CHILDREN, *ROUTES):
            for raw in self.cache.all(resource):
                self._collect(resource, raw)

    def _collect(self, resource: Resource, raw: Raw) -> None:
        for key in orphaned(self.cache, resource, raw):
            self.orphans.put(key, delay=ORPHAN_SECONDS)

    def wake(self, resource: Resource, uid: str) -> None:
        """Queue the object with this UID after a change outside the object."""
        name = self.cache.name_of(uid)
        if name is not None:
            self.queues[resource].put(name)

    def recount(self) -> None:
        """Count all servers again, after the receipt keys changed."""
        for serve in self.cache.serves():
            self._recount((serve.meta.namespace, serve.meta.name))
            for model in models_of(self.cache, serve):
                self._put(MODELSERVES, MODELS, model)

    def _affected(self, resource: Resource, raw: Raw) -> Iterator[Wakeup]:
        """The reconciles to queue, without a Model's servers if only their count changed."""
        found = wakeups(self.cache, resource, raw)
        if resource == MODELS and not self._model_news.has_changed(self.cache, raw):
            return (each for each in found if each[0] == MODELS)
        return found

    def _put(self, changed: Resource, kind: Resource, key: Name) -> None:
        counts = changed == MODELSERVES and kind == MODELS
        self.queues[kind].put(key, delay=COUNT_SECONDS if counts else 0)

    def _recount(self, name: Name) -> None:
        """Count the contract of a changed ModelServe again, once for many changes."""
        for contract in self.usage.update(name, self.cache.serve(name)):
            self.queues[RESOURCECONTRACTS].put(("", contract), delay=RECOUNT_SECONDS)
