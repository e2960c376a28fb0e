"""The webhooks' watch cache, which also sums the demand of each contract's servers."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from roadstead.api.contract.demand import Demand
from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.contract.resource_contract import Reservation, ResourceContract
from roadstead.api.group import (
    ANNOTATION_RECEIPT,
    ANNOTATION_REQUESTED_BY,
    ANNOTATION_SERVER_ID,
)
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw
from roadstead.api.references import model_references
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.field_projection import Keep, Projection
from roadstead.kube.resources import (
    CONFIGMAPS,
    MODELS,
    MODELSERVES,
    NAMESPACES,
    RESOURCECONTRACTS,
    Resource,
)
from roadstead.kube.restores import require_complete
from roadstead.kube.watch_cache import Name, WatchCache
from roadstead.policy.contract.contract_load import ContractLoads, taken_by
from roadstead.policy.contract.contract_share import Counted

KEPT: Final[Mapping[Resource, Projection]] = {
    MODELSERVES: Keep(
        parts={
            "spec": ("modelName", "modelUuid", "contract", "replicas", "resources"),
            "status": ("granted",),
        },
        annotations=frozenset({ANNOTATION_RECEIPT, ANNOTATION_REQUESTED_BY, ANNOTATION_SERVER_ID}),
    ),
    MODELS: Keep(parts={"spec": None, "status": None}),
    RESOURCECONTRACTS: Keep(parts={"spec": None, "status": None}),
    NAMESPACES: Keep(labels=None),
    CONFIGMAPS: Keep(parts={"data": None}),
}
"""Fields that decisions use. Receipts are verified on arrival, when the spec is still complete."""


class CountingCache(WatchCache):
    """A watch cache with the account of each contract, as the operator's `ContractUsage`."""

    def __init__(self, admitted: AdmittedServes, devices: DeviceNames = DEFAULT_DEVICES) -> None:
        super().__init__({MODELSERVES: model_references}, KEPT)
        self._admitted = admitted
        self._loads = ContractLoads(devices)

    def put(self, resource: Resource, raw: Raw) -> bool:
        """As in WatchCache."""
        is_stored = super().put(resource, raw)
        if is_stored and resource == MODELSERVES:
            # The cache keeps a part of the spec; the receipt is for the whole.
            self._count(ModelServe.parse(raw))
        return is_stored

    def _drop(self, resource: Resource, name: Name) -> Raw | None:
        """As in WatchCache, which calls this whenever it removes or replaces an object."""
        before = super()._drop(resource, name)
        if before is not None and resource == MODELSERVES:
            self._loads.update("/".join(name), None)
        return before

    def _remember_gone(self, uid: str, at: int) -> None:
        """As in WatchCache."""
        super()._remember_gone(uid, at)
        self._admitted.forget(uid)

    def drop(self) -> None:
        """As in WatchCache; the same UID and generation may have another spec from now on."""
        for serve in self.serves():
            self._admitted.forget(serve.meta.uid)
        super().drop()

    def recount(self) -> None:
        """Count every server again, after the keys of receipts changed."""
        for serve in self.serves():
            self._count(serve)

    def users(self, *references: str) -> Iterator[ModelServe]:
        """Yield the admitted ModelServes with any of these index keys of a Model."""
        found = (serve for key in references for serve in self.indexed_serves(key))
        return filter(self._admitted.has, found)

    def taken_by(self, serve: ModelServe, *, admitted: bool) -> tuple[str, Demand]:
        """Return the contract that a server counts against, and its demand."""
        return taken_by(serve, admitted=admitted, devices=self._loads.devices)

    def counted(self, contract: str) -> Mapping[str, Counted]:
        """Return the servers that count against a contract, by `<namespace>/<name>`."""
        return self._loads.servers(contract)

    def outstanding(
        self, contract: ResourceContract, *, now: datetime.datetime
    ) -> tuple[Reservation, ...]:
        """Return the reservations that still count: none of servers that were deleted."""
        kept = self._loads.pending(contract, now=now)
        return tuple(each for each in kept if not each.uid or not self.is_gone(each.uid))

    def load(self, contract: str, reservations: Iterable[Reservation], *, without: str) -> Demand:
        """Return the demand of all servers except `without`, as ContractLoads."""
        require_complete(self)
        return self._loads.load(contract, reservations, without=without)

    def _count(self, serve: ModelServe) -> None:
        key = f"{serve.meta.namespace}/{serve.meta.name}"
        self._loads.update(key, serve, admitted=self._admitted.has(serve))
