"""What counts against a contract: its servers, and admissions that aren't visible yet.

Operator and webhooks keep this account; the rows of the console show what the operator counted.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from roadstead.api.contract.demand import NO_DEMAND, Demand
from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.contract.granted import Granted
from roadstead.api.contract.resource_contract import Reservation, ResourceContract
from roadstead.api.modelserve import ModelServe
from roadstead.policy.contract.contract_share import Counted

SETTLE: Final = datetime.timedelta(seconds=3)
"""How long a reservation is kept once its server exists: other processes may not see it yet."""
RESERVATION_LIFETIME: Final = datetime.timedelta(seconds=30)
"""How long an admitted object may take to appear: far beyond any request's deadline."""


def taken_by(
    serve: ModelServe, *, admitted: bool, devices: DeviceNames = DEFAULT_DEVICES
) -> tuple[str, Demand]:
    """The contract that a server counts under, and what it uses of it; an empty name for none.

    An `admitted` server, whose receipt is valid, uses the larger, amount by amount, of its spec and
    of what may still run. A server that is not admitted uses what was granted: it may still run, if
    it was changed while the webhooks were bypassed or its key was retired.
    """
    granted = Granted.parse(serve.status)
    running = granted.demand if granted else NO_DEMAND
    if admitted and serve.contract:
        return serve.contract, Demand.of_serve(serve, devices=devices) | running
    return (granted.contract, running) if granted else ("", NO_DEMAND)


def is_pending(reservation: Reservation, server: Counted | None, *, now: datetime.datetime) -> bool:
    """Whether a reservation still counts; `server` is what counts under its key.

    It counts for RESERVATION_LIFETIME, before its time too: a time in the future comes from a clock
    that is ahead, and must not stay forever. Once its server is counted with its demand, it counts
    until SETTLE after its time: the caches of other processes may lack the server.
    """
    age = now - reservation.reserved_at
    if abs(age) >= RESERVATION_LIFETIME:
        return False
    return age < SETTLE or not _is_counted(reservation, server)


def _is_counted(reservation: Reservation, server: Counted | None) -> bool:
    if server is None or not server.demand.agrees(reservation.demand):
        return False
    return not reservation.uid or reservation.uid == server.uid


def reserve(
    reservations: Iterable[Reservation], reservation: Reservation
) -> tuple[Reservation, ...]:
    """With `reservation` in place of an earlier one of the same server."""
    kept = tuple(each for each in reservations if each.key != reservation.key)
    return (*kept, reservation)


class ContractLoads:
    """The servers of each contract and their sums.

    Updated by one server at a time, since summing 5,000 servers would take 50 ms.
    """

    def __init__(self, devices: DeviceNames = DEFAULT_DEVICES) -> None:
        self.devices = devices
        self._contract_of: dict[str, str] = {}
        self._servers: dict[str, dict[str, Counted]] = defaultdict(dict)
        self._sums: dict[str, Demand] = defaultdict(Demand)

    def update(self, key: str, serve: ModelServe | None, *, admitted: bool = False) -> set[str]:
        """Count a server (None: it is gone); returns the contracts whose load changed."""
        before_name, before = self.find(key)
        contract, after = self._count(key, serve, admitted=admitted)
        if (before_name, before) == (contract, after):
            return set()
        if before is not None:
            self._remove(before_name, before)
        if after is not None:
            self._add(contract, after)
        return {name for name in (before_name, contract) if name}

    def find(self, key: str) -> tuple[str, Counted | None]:
        """The contract that the server `key` counts under, and what counts; empty for none."""
        contract = self._contract_of.get(key, "")
        return contract, self._servers[contract][key] if contract else None

    def servers(self, contract: str) -> Mapping[str, Counted]:
        """The servers of a contract, by `<namespace>/<name>`."""
        return self._servers.get(contract, {})

    def used(self, contract: str) -> Demand:
        """What all servers of a contract use."""
        return self._sums.get(contract, NO_DEMAND)

    def pending(
        self, contract: ResourceContract, *, now: datetime.datetime
    ) -> tuple[Reservation, ...]:
        """The reservations of a contract that still count, in their order."""
        servers = self.servers(contract.meta.name)
        return tuple(
            each
            for each in contract.reservations
            if is_pending(each, servers.get(each.key), now=now)
        )

    def load(
        self, contract: str, reservations: Iterable[Reservation], *, without: str = ""
    ) -> Demand:
        """What all servers but `without` use, with the reservations.

        A server that exists and is reserved uses the larger of both, amount by amount: it grows at
        its admission, and shrinks only once its new spec is visible.
        """
        servers = self.servers(contract)
        grown: dict[str, Demand] = {}
        for each in reservations:
            # Most servers are counted already, with the reserved demand.
            seen = _demand(servers, each.key)
            if each.key != without and not seen.agrees(each.demand):
                grown[each.key] = grown.get(each.key, seen) | each.demand
        used = self.used(contract) - _demand(servers, without)
        for key, demand in grown.items():
            used = used + demand - _demand(servers, key)
        return used

    def _count(
        self, key: str, serve: ModelServe | None, *, admitted: bool
    ) -> tuple[str, Counted | None]:
        if serve is None:
            return "", None
        admitted = admitted and not serve.faults
        contract, demand = taken_by(serve, admitted=admitted, devices=self.devices)
        if not contract:
            return "", None
        meta = serve.meta
        return contract, Counted(key=key, uid=meta.uid, created=meta.created, demand=demand)

    def _remove(self, contract: str, server: Counted) -> None:
        del self._servers[contract][server.key], self._contract_of[server.key]
        self._sums[contract] -= server.demand
        if not self._servers[contract]:
            del self._servers[contract], self._sums[contract]

    def _add(self, contract: str, server: Counted) -> None:
        self._servers[contract][server.key] = server
        self._contract_of[server.key] = contract
        self._sums[contract] += server.demand


def _demand(servers: Mapping[str, Counted], key: str) -> Demand:
    found = servers.get(key)
    return found.demand if found is not None else NO_DEMAND
