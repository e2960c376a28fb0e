"""The webhooks' watch cache, which also sums the demand of each contract's servers."""

from __future__ import annotations

import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from roadstead.api.contract.demand import NO_DEMAND, Demand
from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.contract.resource_contract import Reservation, ResourceContract
from roadstead.api.group import ANNOTATION_RECEIPT
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section
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
from roadstead.policy.contract.contract_load import outstanding, taken_by

KEPT: Final[Mapping[Resource, Projection]] = {
    MODELSERVES: Keep(
        parts={
            "spec": ("modelName", "modelUuid", "contract", "replicas", "resources"),
            "status": ("granted",),
        },
        annotations=frozenset({ANNOTATION_RECEIPT}),
    ),
    MODELS: Keep(parts={"spec": None, "status": None}),
    RESOURCECONTRACTS: Keep(parts={"spec": None, "status": None}),
    NAMESPACES: Keep(labels=None),
    CONFIGMAPS: Keep(parts={"data": None}),
}
"""Fields that decisions use. Receipts are verified on arrival, when the spec is still complete."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Counted:
    """A server's contract and its demand."""

    contract: str
    demand: Demand


class CountingCache(WatchCache):
    """Updates sums incrementally, since summing 5,000 servers would take 50 ms.

    A ModelServe counts if its receipt is valid or its status has a grant: it may run without a
    valid receipt if it was changed while the webhooks were bypassed, or if the key was retired.
    """

    def __init__(self, admitted: AdmittedServes, devices: DeviceNames = DEFAULT_DEVICES) -> None:
        super().__init__({MODELSERVES: model_references}, KEPT)
        self._admitted = admitted
        self._devices = devices
        self._of_server: dict[str, _Counted] = {}
        self._counted: dict[str, dict[str, Demand]] = defaultdict(dict)
        self._totals: dict[str, Demand] = {}

    def put(self, resource: Resource, raw: Raw) -> bool:
        """As in WatchCache."""
        is_stored = super().put(resource, raw)
        if is_stored and resource == MODELSERVES:
            # The cache keeps a part of the spec; the receipt is for the whole.
            self._count(_key(raw), self._entry(ModelServe.parse(raw)))
        return is_stored

    def _drop(self, resource: Resource, name: Name) -> Raw | None:
        """As in WatchCache, which calls this whenever it removes or replaces an object."""
        before = super()._drop(resource, name)
        if before is not None and resource == MODELSERVES:
            self._count(_key(before), None)
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
            self._count(_key(serve.raw), self._entry(serve))

    def users(self, *references: str) -> Iterator[ModelServe]:
        """Yield the admitted ModelServes with any of these index keys of a Model."""
        found = (serve for key in references for serve in self.indexed_serves(key))
        return filter(self._admitted.has, found)

    def taken_by(self, serve: ModelServe, *, admitted: bool) -> tuple[str, Demand]:
        """Return the contract that a server counts against, and its demand."""
        return taken_by(serve, admitted=admitted, devices=self._devices)

    def counted(self, contract: str) -> Mapping[str, Demand]:
        """Return the demand of each server of a contract, by `<namespace>/<name>`."""
        return self._counted.get(contract, {})

    def outstanding(
        self, contract: ResourceContract, *, now: datetime.datetime
    ) -> tuple[Reservation, ...]:
        """Return the reservations that still count: none of servers that were deleted."""
        kept = outstanding(self.counted(contract.meta.name), contract.reservations, now=now)
        return tuple(each for each in kept if not each.uid or not self.is_gone(each.uid))

    def load(self, contract: str, reservations: Iterable[Reservation], *, without: str) -> Demand:
        """Return the demand of all servers except `without`, as `contract_load.load`."""
        require_complete(self)
        counted = self.counted(contract)
        used = self._totals.get(contract, NO_DEMAND) - counted.get(without, NO_DEMAND)
        grown: dict[str, Demand] = {}
        for each in reservations:
            # Most servers are in the cache already, with the reserved demand.
            seen = counted.get(each.key, NO_DEMAND)
            if each.key != without and not seen.agrees(each.demand):
                grown[each.key] = grown.get(each.key, seen) | each.demand
        for key, demand in grown.items():
            used = used + demand - counted.get(key, NO_DEMAND)
        return used

    def _entry(self, serve: ModelServe) -> _Counted | None:
        """Return the server's contract and demand; None if it doesn't count."""
        if serve.faults:
            return None
        admitted = self._admitted.has(serve)
        contract, demand = self.taken_by(serve, admitted=admitted)
        return _Counted(contract=contract, demand=demand) if contract else None

    def _count(self, key: str, entry: _Counted | None) -> None:
        """Replace what a server counts as."""
        if before := self._of_server.pop(key, None):
            self._add(before.contract, key, None)
        if entry is not None:
            self._of_server[key] = entry
            self._add(entry.contract, key, entry.demand)

    def _add(self, contract: str, key: str, demand: Demand | None) -> None:
        servers = self._counted[contract]
        total = self._totals.get(contract, NO_DEMAND) - servers.pop(key, NO_DEMAND)
        if demand is not None:
            servers[key] = demand
            total = total + demand
        self._totals[contract] = total
        if not servers:
            del self._counted[contract], self._totals[contract]


def _key(raw: Raw) -> str:
    meta = section(raw, "metadata")
    return f"{meta.get('namespace', '')}/{meta['name']}"
