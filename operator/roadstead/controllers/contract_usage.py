"""The usage of each contract by its servers, updated as they change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from roadstead.api import conditions
from roadstead.api.contract.contract_limits import Limits
from roadstead.api.contract.demand import Demand
from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.modelserve import ModelServe
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.watch_cache import Name
from roadstead.policy.contract.contract_load import taken_by
from roadstead.policy.contract.contract_share import Counted, before_each, fits


class ContractUsage:
    """Sums by contract, updated by one server at a time, without a loop over all of them.

    Servers are sorted by age only while a contract's totals are exceeded, once per change.

    A ModelServe counts if its receipt is valid or it has a grant: a server with a grant may run
    without a valid receipt, if it was changed while the webhooks were bypassed or its key retired.
    """

    def __init__(self, admitted: AdmittedServes, devices: DeviceNames = DEFAULT_DEVICES) -> None:
        self._admitted = admitted
        self.devices = devices
        self._servers: dict[str, dict[str, Counted]] = defaultdict(dict)
        self._sums: dict[str, Demand] = defaultdict(Demand)
        self._contract_of: dict[str, str] = {}
        self._turns: dict[str, tuple[Limits, dict[str, Demand]]] = {}
        self._granted: set[str] = set()
        """The UIDs of accepted servers, by the guard's verdict, or else by the status."""
        self._judged: set[str] = set()

    def update(self, name: Name, serve: ModelServe | None) -> set[str]:
        """Update from a ModelServe (None: deleted); returns the contracts whose usage changed."""
        key = "/".join(name)
        before_name = self._contract_of.get(key, "")
        before = self._servers[before_name].get(key) if before_name else None
        contract, after = self._entry(key, serve)
        if before is not None and (after is None or after.uid != before.uid):
            self._granted.discard(before.uid)
            self._judged.discard(before.uid)
        if serve is not None and after is not None and after.uid not in self._judged:
            self._set_accepted(contract, after.uid, accepted=_accepted(serve))
        if (before_name, before) == (contract, after):
            return set()
        if before is not None:
            self._remove(before_name, before)
        if after is not None:
            self._add(contract, after)
        return {name for name in (before_name, contract) if name}

    def _entry(self, key: str, serve: ModelServe | None) -> tuple[str, Counted | None]:
        """The contract that a server counts under, and its usage; empty if there is none."""
        if serve is None:
            return "", None
        admitted = self._admitted.has(serve)
        contract, demand = taken_by(serve, admitted=admitted, devices=self.devices)
        return contract, _counted(key, serve, demand) if contract else None

    def set_verdict(self, serve: ModelServe, *, accepted: bool) -> None:
        """Record the guard's verdict on a server before it is acted on."""
        own = self.servers(serve.contract).get(f"{serve.meta.namespace}/{serve.meta.name}")
        if own is not None and own.uid == serve.meta.uid:
            self._judged.add(own.uid)
            self._set_accepted(serve.contract, own.uid, accepted=accepted)

    def servers(self, contract: str) -> Mapping[str, Counted]:
        """The servers that name this contract, by `<namespace>/<name>`."""
        return self._servers.get(contract, {})

    def used(self, contract: str) -> Demand:
        """The usage of all servers of this contract."""
        return self._sums.get(contract, Demand())

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

    def _remove(self, contract: str, server: Counted) -> None:
        del self._servers[contract][server.key], self._contract_of[server.key]
        self._sums[contract] -= server.demand
        self._turns.pop(contract, None)
        if not self._servers[contract]:
            del self._servers[contract], self._sums[contract]

    def _add(self, contract: str, server: Counted) -> None:
        self._servers[contract][server.key] = server
        self._contract_of[server.key] = contract
        self._sums[contract] += server.demand
        self._turns.pop(contract, None)


def _accepted(serve: ModelServe) -> bool:
    """Whether the last verdict, perhaps of another operator, accepted it."""
    found = conditions.find(serve.raw, "ContractAccepted")
    return found is not None and found.true


def _counted(key: str, serve: ModelServe, demand: Demand) -> Counted:
    return Counted(key=key, uid=serve.meta.uid, created=serve.meta.created, demand=demand)
