"""What the servers under each contract take, kept up to date as they come and go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from roadstead.api import conditions
from roadstead.api.contract import ResourceContract
from roadstead.api.contract_limits import Limits
from roadstead.api.demand import Demand
from roadstead.api.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.watch_cache import Name
from roadstead.policy.contract_load import taken_by
from roadstead.policy.contract_share import Counted, before_each, fits


class ContractUsage:
    """Sums by contract, changed by one server at a time: never a walk over all of them.

    Only while a contract's totals are exceeded are its servers sorted by age, once per change.

    Only a ModelServe whose receipt verifies counts, or one that something was granted to: it may
    run on without such a receipt, changed past the webhooks or after its key was retired.
    """

    def __init__(self, admitted: AdmittedServes, devices: DeviceNames = DEFAULT_DEVICES) -> None:
        self._admitted = admitted
        self.devices = devices
        self._servers: dict[str, dict[str, Counted]] = defaultdict(dict)
        self._sums: dict[str, Demand] = defaultdict(Demand)
        self._contract_of: dict[str, str] = {}
        self._turns: dict[str, tuple[Limits, dict[str, Demand]]] = {}
        self._granted: set[str] = set()
        """The UIDs of those accepted, as the guard here has judged, else as the status says."""
        self._judged: set[str] = set()

    def see(self, name: Name, raw: Raw | None) -> set[str]:
        """Take in a ModelServe, None once it is gone; the contracts whose use is another now."""
        key = "/".join(name)
        before_name = self._contract_of.get(key, "")
        before = self._servers[before_name].get(key) if before_name else None
        contract, after = self._entry(key, raw)
        if before is not None and (after is None or after.uid != before.uid):
            self._granted.discard(before.uid)
            self._judged.discard(before.uid)
        if raw is not None and after is not None and after.uid not in self._judged:
            self._note(contract, after.uid, accepted=_accepted(raw))
        if (before_name, before) == (contract, after):
            return set()
        if before is not None:
            self._take_out(before_name, before)
        if after is not None:
            self._put_in(contract, after)
        return {name for name in (before_name, contract) if name}

    def _entry(self, key: str, raw: Raw | None) -> tuple[str, Counted | None]:
        """The contract that a server counts under, and what it takes; both empty for none."""
        if raw is None:
            return "", None
        serve = ModelServe.parse(raw)
        contract, demand = taken_by(serve, admitted=self._admitted.has(raw), devices=self.devices)
        return contract, _counted(key, serve, demand) if contract else None

    def judged(self, serve: ModelServe, *, accepted: bool) -> None:
        """What the guard said of a server, before anything is made of it or anyone else asks."""
        own = self.servers(serve.contract).get(f"{serve.meta.namespace}/{serve.meta.name}")
        if own is not None and own.uid == serve.meta.uid:
            self._judged.add(own.uid)
            self._note(serve.contract, own.uid, accepted=accepted)

    def servers(self, contract: str) -> Mapping[str, Counted]:
        """The servers that name this contract, by `<namespace>/<name>`."""
        return self._servers.get(contract, {})

    def used(self, contract: str) -> Demand:
        """What they take together."""
        return self._sums.get(contract, Demand())

    def others(self, contract: ResourceContract, key: str) -> Demand:
        """What is taken of the totals before the server `key` has its turn.

        While all fit, that is what all others take; else what the older ones take that fit.
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
        """The keys of the servers that don't fit in the totals."""
        name = contract.meta.name
        if fits(self.used(name), contract.total):
            return frozenset()
        servers = self.servers(name)
        return frozenset(
            key
            for key, server in servers.items()
            if not fits(self.others(contract, key) + server.demand, contract.total)
        )

    def _note(self, contract: str, uid: str, *, accepted: bool) -> None:
        if (uid in self._granted) != accepted:
            self._turns.pop(contract, None)
        (self._granted.add if accepted else self._granted.discard)(uid)

    def _take_out(self, contract: str, server: Counted) -> None:
        del self._servers[contract][server.key], self._contract_of[server.key]
        self._sums[contract] -= server.demand
        self._turns.pop(contract, None)
        if not self._servers[contract]:
            del self._servers[contract], self._sums[contract]

    def _put_in(self, contract: str, server: Counted) -> None:
        self._servers[contract][server.key] = server
        self._contract_of[server.key] = contract
        self._sums[contract] += server.demand
        self._turns.pop(contract, None)


def _accepted(raw: Raw) -> bool:
    """Whether it was when it was judged last, perhaps by another operator."""
    found = conditions.find(raw, "ContractAccepted")
    return found is not None and found.true


def _counted(key: str, serve: ModelServe, demand: Demand) -> Counted:
    return Counted(key=key, uid=serve.meta.uid, created=serve.meta.created, demand=demand)
