"""The watch cache of the webhooks: it also knows what each contract's servers take."""

from __future__ import annotations

import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from roadstead.api.contract import Reservation, ResourceContract
from roadstead.api.demand import NO_DEMAND, Demand
from roadstead.api.devices import DEFAULT_DEVICES, DeviceNames
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
from roadstead.kube.watch_cache import Name
from roadstead.policy.contract_load import outstanding, taken_by
from roadstead_webhooks.admission.reviewed_objects import readable
from roadstead_webhooks.contracts import ContractCache

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
"""What decisions rest on. A receipt is verified when its object comes, with the whole spec."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Counted:
    """What a server takes of which contract."""

    contract: str
    demand: Demand


class CountingCache(ContractCache):
    """Adds and subtracts as objects come and go: counting 5,000 servers would take 50 ms.

    Only a ModelServe whose receipt verifies counts, or one that something was granted to: it may
    run on without such a receipt, changed past the webhooks or after its key was retired.
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
        taken = super().put(resource, raw)
        if taken and resource == MODELSERVES:
            self._count(_key(raw), self._entry(raw))
        return taken

    def _drop(self, resource: Resource, name: Name) -> Raw | None:
        """As in WatchCache, all of whose ways to forget or replace an object lead here."""
        before = super()._drop(resource, name)
        if before is not None and resource == MODELSERVES:
            self._count(_key(before), None)
        return before

    def _remember_gone(self, uid: str, at: int) -> None:
        """As in WatchCache."""
        super()._remember_gone(uid, at)
        self._admitted.forget(uid)

    def drop(self) -> None:
        """As in WatchCache; a UID and a generation may mean another spec from now on."""
        for raw in self.all(MODELSERVES):
            self._admitted.forget(str(section(raw, "metadata").get("uid", "")))
        super().drop()

    def recount(self) -> None:
        """Look at every server again: receipts are verified with other keys now."""
        for raw in self.all(MODELSERVES):
            self._count(_key(raw), self._entry(raw))

    def users(self, *references: str) -> Iterator[Raw]:
        """The admitted ModelServes with any of these index keys of a Model."""
        found = (raw for key in references for raw in self.indexed(MODELSERVES, key))
        return filter(self._admitted.has, found)

    def taken_by(self, serve: ModelServe, *, admitted: bool) -> tuple[str, Demand]:
        """The contract that a server counts under, and what it takes of it."""
        return taken_by(serve, admitted=admitted, devices=self._devices)

    def counted(self, contract: str) -> Mapping[str, Demand]:
        """What each server of a contract takes, by `<namespace>/<name>`."""
        return self._counted.get(contract, {})

    def outstanding(
        self, contract: ResourceContract, *, now: datetime.datetime
    ) -> tuple[Reservation, ...]:
        """The reservations that still count: none of a server that was seen, and seen to go."""
        kept = outstanding(self.counted(contract.meta.name), contract.reservations, now=now)
        return tuple(each for each in kept if not each.uid or not self.is_gone(each.uid))

    def load(self, contract: str, reservations: Iterable[Reservation], *, without: str) -> Demand:
        """What all servers but `without` take, as `policy.contract_load.load` has it."""
        require_complete(self)
        counted = self.counted(contract)
        taken = self._totals.get(contract, NO_DEMAND) - counted.get(without, NO_DEMAND)
        grown: dict[str, Demand] = {}
        for each in reservations:
            # Most are of servers that are seen already, at that demand.
            seen = counted.get(each.key, NO_DEMAND)
            if each.key != without and not seen.agrees(each.demand):
                grown[each.key] = grown.get(each.key, seen) | each.demand
        for key, demand in grown.items():
            taken = taken + demand - counted.get(key, NO_DEMAND)
        return taken

    def _entry(self, raw: Raw) -> _Counted | None:
        """What the server counts as; None if it doesn't count."""
        if not readable(raw):
            return None
        admitted = self._admitted.has(raw)
        serve = ModelServe.parse(raw)
        contract, demand = self.taken_by(serve, admitted=admitted)
        return _Counted(contract=contract, demand=demand) if contract else None

    def _count(self, key: str, entry: _Counted | None) -> None:
        """Count a server as `entry`, and no more as before."""
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
