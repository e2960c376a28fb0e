"""The reconciler of ResourceContracts: counts usage and drops reservations."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable

from roadstead.api import conditions
from roadstead.api.contract.resource_contract import Reservation, ResourceContract
from roadstead.api.raw import Raw, section
from roadstead.api.references import by_contract
from roadstead.clocks import Clock
from roadstead.controllers.contract.contract_status import status_of
from roadstead.controllers.contract_usage import ContractUsage
from roadstead.controllers.status_writer import StatusWriter
from roadstead.kube.resources import RESOURCECONTRACTS
from roadstead.kube.watch_cache import Name, WatchCache
from roadstead.policy.contract.contract_load import RESERVATION_LIFETIME, SETTLE


@dataclasses.dataclass(kw_only=True)
class ContractReconciler:
    """Counts usage, writes the status, and wakes the servers that the change affects.

    The status is written by compare-and-swap, so concurrent reservations of webhooks are not lost.
    `wake` queues a reconcile of one ModelServe.
    """

    cache: WatchCache
    usage: ContractUsage
    status: StatusWriter
    wake: Callable[[Name], None]
    clock: Clock
    _left_out: dict[str, frozenset[str]] = dataclasses.field(default_factory=dict)

    async def reconcile(self, key: Name) -> float | None:
        """Update the status of one contract; returns seconds until the next reconcile."""
        name = key[1]
        contract, now = self.cache.contract(name), self.clock()
        if contract is None:
            self._left_out.pop(name, None)
            self._wake_all(name)
            return None
        left_out = self.usage.left_out(contract)
        pending = self.usage.pending(contract, now=now)
        status = status_of(
            contract,
            used=self.usage.used(name),
            pending=pending,
            left_out=len(left_out),
            now=now,
        )
        await self.status.write(RESOURCECONTRACTS, contract.raw, status)
        self._wake_affected(contract, status, left_out)
        return _next_delay(contract, pending, now)

    def _wake_affected(
        self, contract: ResourceContract, status: Raw, left_out: frozenset[str]
    ) -> None:
        """Wake all servers if the contract changed, else those that newly fit or don't fit."""
        name = contract.meta.name
        before = self._left_out.get(name, frozenset())
        self._left_out[name] = left_out
        if _essence(contract.raw) != _essence({"status": status}):
            self._wake_all(name)
            return
        for key in before ^ left_out:
            namespace, _, server = key.partition("/")
            self.wake((namespace, server))

    def _wake_all(self, contract: str) -> None:
        for serve in self.cache.indexed_serves(by_contract(contract)):
            self.wake((serve.meta.namespace, serve.meta.name))


def _essence(raw: Raw) -> tuple[int, bool]:
    """What all servers depend on: the generation of the status, and whether it is valid."""
    valid = conditions.find(raw, "Valid")
    return section(raw, "status").get("observedGeneration", 0), valid is not None and valid.true


def _next_delay(
    contract: ResourceContract, pending: tuple[Reservation, ...], now: datetime.datetime
) -> float | None:
    """Seconds until a reservation or the contract expires; None if neither will."""
    deadlines = [
        each.reserved_at + delay
        for each in pending
        for delay in (SETTLE, RESERVATION_LIFETIME)
        if each.reserved_at + delay > now
    ]
    if contract.expires_at is not None and contract.expires_at > now:
        deadlines.append(contract.expires_at)
    waits = [(deadline - now).total_seconds() for deadline in deadlines]
    return max(1.0, min(waits)) if waits else None
