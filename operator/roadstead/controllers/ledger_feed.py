"""Turns watched objects into rows of the ledger and queues them for the writer."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

import asyncpg

from roadstead.api.group import LABEL_SERVER_UUID
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section
from roadstead.api.references import serve_references
from roadstead.api.usage import UsageSample
from roadstead.controllers.model_names import model_name
from roadstead.controllers.server_pods import key_of_pod, pods_key
from roadstead.controllers.transfer_pods import pods_of
from roadstead.errors import KubeError, LedgerUnavailable
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
"""What a cache has to be looked up by, for records of what is in it."""

_CLUSTER: Final = "kube-system"


class Versions(Protocol):
    """The part of the API client that tells versions."""

    async def version(self, resource: Resource) -> int:
        """The version that a kind is at now."""


class LedgerFeed:
    """Puts each state of an object into the outbox, and all of them once a connection is there."""

    def __init__(
        self,
        cache: WatchCache,
        outbox: Outbox,
        *,
        now: Callable[[], str],
        versions: Versions | None = None,
    ) -> None:
        self._cache = cache
        self._outbox = outbox
        self._now = now
        self._versions = versions
        self.epoch = 0
        """Of the rows that are written: known once `begin` is done."""
        self._thinning = Thinning()
        self._pods: dict[str, int] = {}
        self._first_list = 0

    def see(self, resource: Resource, raw: Raw) -> None:
        """An object is new, other or gone; `raw` is how it was seen last."""
        if resource == PODS:
            self._see_pod(raw)
        elif resource in KINDS:
            here = self._cache.current(resource, raw)
            self._outbox.put(self.record(resource, here or raw, deleted=here is None))
            if here is None:
                uid = section(raw, "metadata").get("uid", "")
                self._pods.pop(uid, None)
                self._thinning.forget(uid)

    def took(self, samples: Iterable[UsageSample]) -> None:
        """What servers use; what says nothing new is left out."""
        records = map(usage_record, samples)
        self._outbox.append([each for each in records if self._thinning.accept(each)])

    async def begin(self, connection: asyncpg.Connection) -> None:
        """See that the database is this cluster's, and put in what it lacks."""
        system = self._cache.get(NAMESPACES, _CLUSTER)
        if system is None or not all(self._cache.listed(kind) for kind in (*KINDS, PODS)):
            raise LedgerUnavailable("the cluster was not listed yet", reason="ClusterNotListed")
        await claim_database(connection, section(system, "metadata")["uid"])
        views = map(self._view, KINDS)
        self.epoch = await current_epoch(connection, views, known=self.epoch)
        for resource, table in KINDS.items():
            # Who stood by has seen objects go that nobody wrote down, after its list.
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
                message = f"the version of {resource.plural} could not be read: {error}"
                raise LedgerUnavailable(message, reason="ClusterNotListed") from error

        return KindView(
            table=KINDS[resource],
            records=self.records(resource),
            listed=self._cache.listed(resource),
            current=current,
        )

    def records(self, resource: Resource) -> list[ObjectRecord]:
        """The records of every object of a kind, as seen last."""
        return [self.record(resource, raw) for raw in self._cache.all(resource)]

    def record(self, resource: Resource, raw: Raw, deleted: bool = False) -> ObjectRecord:
        """The record of one object."""
        now = self._now()
        if resource == MODELS:
            return model_record(raw, now=now, deleted=deleted)
        if resource == RESOURCECONTRACTS:
            return contract_record(raw, now=now, deleted=deleted)
        name, pods = model_name(self._cache, ModelServe.parse(raw)), self._pods_of(raw)
        return server_record(raw, model_name=name, pods=pods, now=now, deleted=deleted)

    def _see_pod(self, raw: Raw) -> None:
        server = section(raw, "metadata", "labels").get(LABEL_SERVER_UUID, "")
        place = self._cache.name_of(server)
        serve = self._cache.get(MODELSERVES, place[1], place[0]) if place else None
        if serve is not None and key_of_pod(raw) == _pods_key(serve):
            self._pods[server] = max(self._pods.get(server, 0), version(raw))
            self._outbox.put(self.record(MODELSERVES, serve))

    def _pods_of(self, serve: Raw) -> PodsView:
        """As new as the first list of pods, or as what was told of this server's since."""
        self._first_list = self._first_list or self._cache.listed(PODS)
        meta = section(serve, "metadata")
        pods = self._cache.indexed(PODS, _pods_key(serve))
        names = [pod["metadata"]["name"] for pod in pods]
        return PodsView(names=names, version=max(self._first_list, self._pods.get(meta["uid"], 0)))


def _pods_key(serve: Raw) -> str:
    meta = section(serve, "metadata")
    return pods_key(meta["namespace"], meta["name"], meta["uid"])


def exact_now() -> str:
    """RFC 3339 in UTC, to the microsecond."""
    return datetime.datetime.now(datetime.UTC).isoformat()
