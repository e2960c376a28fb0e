"""Turns watched objects into rows of the ledger and queues them for the writer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import asyncpg

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.group import LABEL_SERVER_UUID
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section
from roadstead.api.references import serve_references
from roadstead.api.usage import UsageSample
from roadstead.clocks import utc_now
from roadstead.controllers.model_names import model_name
from roadstead.controllers.server_pods import key_of_pod, pods_key_of
from roadstead.controllers.transfers.transfer_pods import pods_of
from roadstead.errors import KubeError, LedgerUnavailable
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.parsed_objects import Parsed
from roadstead.kube.resources import (
    MODELS,
    MODELSERVES,
    NAMESPACES,
    PODS,
    RESOURCECONTRACTS,
    Resource,
)
from roadstead.kube.watch_cache import Index, WatchCache, version
from roadstead.ledger import tables
from roadstead.ledger.epochs import KindView, current_epoch
from roadstead.ledger.outbox import Outbox
from roadstead.ledger.records import ObjectRecord
from roadstead.ledger.resync import claim_database, resync
from roadstead.ledger.row_projection import (
    PodsView,
    contract_record,
    model_record,
    server_record,
    usage_record,
)
from roadstead.ledger.thinning import Thinning

KINDS: Final[Mapping[Resource, tables.Table]] = {
    MODELS: tables.MODELS,
    MODELSERVES: tables.SERVERS,
    RESOURCECONTRACTS: tables.CONTRACTS,
}
"""The kinds that have records."""
INDEXES: Final[Mapping[Resource, Index]] = {MODELSERVES: serve_references, PODS: pods_of}
"""The indexes that a cache needs for records of its objects."""

_CLUSTER: Final = "kube-system"


class LedgerFeed:
    """Puts each state of an object into the outbox, and all of them on each new connection."""

    def __init__(
        self,
        cache: WatchCache,
        outbox: Outbox,
        *,
        now: Callable[[], str],
        versions: KubeClient | None = None,
    ) -> None:
        self._cache = cache
        self._outbox = outbox
        self._now = now
        self._versions = versions
        self.epoch = 0
        """The epoch of the rows that are written; known once `begin` has run."""
        self._thinning = Thinning()
        self._pods: dict[str, int] = {}
        self._first_list = 0

    def update(self, resource: Resource, raw: Raw) -> None:
        """Record an object that was created, changed or deleted; `raw` is its last state."""
        if resource == PODS:
            self._update_pod(raw)
        elif resource in KINDS:
            deleted = self._cache.current(resource, raw) is None
            self._outbox.put(self.record(self._cache.parse(resource, raw), deleted=deleted))
            if deleted:
                self._forget(resource, raw)

    def _forget(self, resource: Resource, raw: Raw) -> None:
        serve = self._cache.parse(resource, raw)
        if isinstance(serve, ModelServe) and self._cache.serve_by_id(serve.server_id) is None:
            self._pods.pop(serve.server_id, None)
            self._thinning.forget(serve.server_id)

    def add_samples(self, samples: Iterable[UsageSample]) -> None:
        """Record usage samples, without those that repeat the last one."""
        records = map(usage_record, samples)
        self._outbox.append([each for each in records if self._thinning.accept(each)])

    async def begin(self, connection: asyncpg.Connection) -> None:
        """Check that the database belongs to this cluster, and queue the rows that it lacks."""
        system = self._cache.get(NAMESPACES, _CLUSTER)
        if system is None or not all(self._cache.listed(kind) for kind in (*KINDS, PODS)):
            message = "the cluster has not been listed yet"
            raise LedgerUnavailable(message, reason="ClusterNotListed")
        await claim_database(connection, section(system, "metadata")["uid"])
        views = map(self._view, KINDS)
        self.epoch = await current_epoch(connection, views, known=self.epoch)
        for resource, table in KINDS.items():
            # While this replica did not lead, deletions after its list were not recorded.
            gone_at = functools.partial(self._cache.gone_at, resource)
            late = await resync(
                connection, table, self.records(resource), gone_at=gone_at, epoch=self.epoch
            )
            for record in late:
                self._outbox.put(record)

    def _view(self, resource: Resource) -> KindView:
        async def current() -> int:
            if self._versions is None:
                return self._cache.seen(resource)
            try:
                return await self._versions.version(resource)
            except KubeError as error:
                message = f"cannot read the version of {resource.plural}: {error}"
                raise LedgerUnavailable(message, reason="ClusterNotListed") from error

        return KindView(
            table=KINDS[resource],
            records=self.records(resource),
            listed=self._cache.listed(resource),
            current=current,
        )

    def records(self, resource: Resource) -> list[ObjectRecord]:
        """The records of all objects of a kind in the cache."""
        return [self.record(each) for each in self._cache.parsed(resource)]

    def record(self, found: Parsed, *, deleted: bool = False) -> ObjectRecord:
        """The record of one object."""
        now = self._now()
        match found:
            case Model():
                return model_record(found, now=now, deleted=deleted)
            case ResourceContract():
                return contract_record(found, now=now, deleted=deleted)
            case ModelServe():
                name, pods = model_name(self._cache, found), self._pods_of(found)
                return server_record(found, model_name=name, pods=pods, now=now, deleted=deleted)

    def _update_pod(self, raw: Raw) -> None:
        server = section(raw, "metadata", "labels").get(LABEL_SERVER_UUID, "")
        serve = self._cache.serve_by_id(server)
        if serve is not None and key_of_pod(raw) == pods_key_of(serve):
            self._pods[server] = max(self._pods.get(server, 0), version(raw))
            self._outbox.put(self.record(serve))

    def _pods_of(self, serve: ModelServe) -> PodsView:
        """The pods of a server, at the version of the first list or of a later event."""
        self._first_list = self._first_list or self._cache.listed(PODS)
        pods = self._cache.indexed(PODS, pods_key_of(serve))
        names = [pod["metadata"]["name"] for pod in pods]
        seen = self._pods.get(serve.server_id, 0)
        return PodsView(names=names, version=max(self._first_list, seen))


def exact_now() -> str:
    """The current time in UTC as RFC 3339, in microseconds."""
    return utc_now().isoformat()
