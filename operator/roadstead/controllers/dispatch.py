"""Where each change of an object goes: to the queues that it wakes, the ledger and the metrics."""

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
from roadstead.controllers.wakeups import ModelNews, Wakeup, wakeups
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
"""How long changes of servers are gathered before their contract's status is written: the webhooks
write it too, and each write of ours makes one of theirs try again."""
COUNT_SECONDS: Final = 1.0
"""A Model counts its servers so much later: a burst of them is one write, not one for each."""


@dataclasses.dataclass(kw_only=True)
class Dispatch:
    """Is told what the cache has taken."""

    cache: WatchCache
    queues: Mapping[Resource, WorkQueue]
    """One for each kind that is reconciled, from when something can change."""
    exposition: ObjectMetrics
    books: LedgerFeed | None
    usage: ContractUsage
    leads: Callable[[], bool]
    gone: Callable[[str], None]
    """Called with the UID of each object that is there no more."""
    orphans: WorkQueue
    """Of the servers whose children may be left without a ModelServe."""
    _news_of_models: ModelNews = dataclasses.field(default_factory=ModelNews)

    def changed(self, resource: Resource, raw: Raw) -> None:
        """An object came, changed or went."""
        self.record(resource, raw)
        for kind, key in self._woken(resource, raw):
            self._put(resource, kind, key)
        meta = section(raw, "metadata")
        if resource == MODELSERVES:
            self._recount((meta.get("namespace", ""), meta["name"]))
        if self.leads():
            self._collect(resource, raw)
        if self.cache.current(resource, raw) is None:
            self.gone(meta.get("uid", ""))

    def wrote(self, resource: Resource, raw: Raw) -> None:
        """Wake those that wait for an object whose status we wrote, not the object itself."""
        self.record(resource, raw)
        own = raw["metadata"].get("namespace", ""), raw["metadata"]["name"]
        for kind, key in self._woken(resource, raw):
            if (kind, key) != (resource, own):
                self._put(resource, kind, key)
        if resource == MODELSERVES:
            self._recount(own)  # What was granted counts.

    def made(self, model: Raw) -> None:
        """A Model was made here, or was found to be there."""
        for each in self.cache.take(MODELS, model):
            self.changed(MODELS, each)

    def record(self, resource: Resource, raw: Raw) -> None:
        """Metrics and ledger follow each state of an object, those of the leader alone."""
        if not self.leads():
            return
        self.exposition.see(resource, raw)
        if self.books is not None:
            self.books.see(resource, raw)

    def collect_orphans(self) -> None:
        """Look for what was left while this replica did not lead."""
        for resource in (*CHILDREN, *ROUTES):
            for raw in self.cache.all(resource):
                self._collect(resource, raw)

    def _collect(self, resource: Resource, raw: Raw) -> None:
        for key in orphaned(self.cache, resource, raw):
            self.orphans.put(key, delay=ORPHAN_SECONDS)

    def look(self, resource: Resource, uid: str) -> None:
        """There is news of the object with this UID that the object itself does not tell."""
        name = self.cache.name_of(uid)
        if name is not None:
            self.queues[resource].put(name)

    def recount(self) -> None:
        """Receipts are verified with other keys: any server may count now, or no longer."""
        for raw in self.cache.all(MODELSERVES):
            meta = section(raw, "metadata")
            self._recount((meta.get("namespace", ""), meta["name"]))
            for kind, key in wakeups(self.cache, MODELSERVES, raw):
                if kind == MODELS:
                    self._put(MODELSERVES, kind, key)

    def _woken(self, resource: Resource, raw: Raw) -> Iterator[Wakeup]:
        """Not the servers of a Model that only counts them anew: there may be thousands."""
        found = wakeups(self.cache, resource, raw)
        if resource == MODELS and not self._news_of_models.there_is(self.cache, raw):
            return (each for each in found if each[0] == MODELS)
        return found

    def _put(self, changed: Resource, kind: Resource, key: Name) -> None:
        counts = changed == MODELSERVES and kind == MODELS
        self.queues[kind].put(key, delay=COUNT_SECONDS if counts else 0)

    def _recount(self, name: Name) -> None:
        """A ModelServe came, changed or went: its contract is counted anew, once for many."""
        seen = self.cache.get(MODELSERVES, name[1], name[0])
        for contract in self.usage.update(name, seen):
            self.queues[RESOURCECONTRACTS].put(("", contract), delay=RECOUNT_SECONDS)
