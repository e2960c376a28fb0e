"""The usage of each contract by its servers, and which of them its totals exclude."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from roadstead.api import conditions
from roadstead.api.contract.contract_limits import Limits
from roadstead.api.contract.demand import Demand
from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.contract.resource_contract import Reservation, ResourceContract
from roadstead.api.modelserve import ModelServe
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.watch_cache import Name
from roadstead.policy.contract.contract_load import ContractLoads
from roadstead.policy.contract.contract_share import Counted, before_each, fits


class ContractUsage:
    """The operator's account of contracts, with the order in which servers get a share.

    Servers are sorted by age only while a contract's totals are exceeded, once per change.
    """

    def __init__(self, admitted: AdmittedServes, devices: DeviceNames = DEFAULT_DEVICES) -> None:
        self._admitted = admitted
        self._loads = ContractLoads(devices)
        self._turns: dict[str, tuple[Limits, dict[str, Demand]]] = {}
        self._granted: set[str] = set()
        """The UIDs of accepted servers, by the guard's verdict, or else by the status."""
        self._judged: set[str] = set()

    def update(self, name: Name, serve: ModelServe | None) -> set[str]:
        """Update from a ModelServe (None: deleted); returns the contracts whose usage changed."""
        key = "/".join(name)
        _, before = self._loads.find(key)
        admitted = serve is not None and self._admitted.has(serve)
        changed = self._loads.update(key, serve, admitted=admitted)
        contract, after = self._loads.find(key)
        if before is not None and (after is None or after.uid != before.uid):
            self._granted.discard(before.uid)
            self._judged.discard(before.uid)
        if serve is not None and after is not None and after.uid not in self._judged:
            self._set_accepted(contract, after.uid, accepted=_accepted(serve))
        for each in changed:
            self._turns.pop(each, None)
        return changed

    @property
    def devices(self) -> DeviceNames:
        """The resources that count as devices."""
        return self._loads.devices

    def set_verdict(self, serve: ModelServe, *, accepted: bool) -> None:
        """Record the guard's verdict on a server before it is acted on."""
        own = self.servers(serve.contract).get(f"{serve.meta.namespace}/{serve.meta.name}")
        if own is not None and own.uid == serve.meta.uid:
            self._judged.add(own.uid)
            self._set_accepted(serve.contract, own.uid, accepted=accepted)

    def servers(self, contract: str) -> Mapping[str, Counted]:
        """The servers that name this contract, by `<namespace>/<name>`."""
        return self._loads.servers(contract)

    def used(self, contract: str) -> Demand:
        """The usage of all servers of this contract."""
        return self._loads.used(contract)

    def pending(
        self, contract: ResourceContract, *, now: datetime.datetime
    ) -> tuple[Reservation, ...]:
        """The reservations of admissions that are not counted yet."""
        return self._loads.pending(contract, now=now)

    def others(self, contract: ResourceContract, key: str) -> Demand:
        """The usage that counts before the server `key`.

        While all servers fit, that of all others; else that of the older servers that fit.
        """
        name = contract.meta.name
        own = self.servers(name).get(key)
        if fits(self.used(name), contract.total):
            return self.used(name) - own.demand if own else self.used(name)
        turns = self._turns.get(name)
        if turns is None or turns[0] != contract.total:
            servers = self.servers(name).values()
            turns = contract.total, before_each(servers, contract.total, granted=self._granted)
            self._turns[name] = turns
        return turns[1].get(key, self.used(name))

    def left_out(self, contract: ResourceContract) -> frozenset[str]:
        """The keys of the servers that don't fit into the totals."""
        name = contract.meta.name
        if fits(self.used(name), contract.total):
            return frozenset()
        servers = self.servers(name)
        return frozenset(
            key
            for key, server in servers.items()
            if not fits(self.others(contract, key) + server.demand, contract.total)
        )

    def _set_accepted(self, contract: str, uid: str, *, accepted: bool) -> None:
        if (uid in self._granted) != accepted:
            self._turns.pop(contract, None)
        (self._granted.add if accepted else self._granted.discard)(uid)


def _accepted(serve: ModelServe) -> bool:
    """Whether the last verdict, perhaps of another operator, accepted it."""
    found = conditions.find(serve.raw, "ContractAccepted")
    return found is not None and found.true
