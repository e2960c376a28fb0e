"""The reconciler of ResourceContracts: counts what is used, and gives back what was reserved."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable

from roadstead.api import conditions
from roadstead.api.contract import Reservation, ResourceContract
from roadstead.api.raw import Raw, section
from roadstead.api.references import by_contract
from roadstead.controllers.contract_status import KEPT, status_of, still_pending
from roadstead.controllers.contract_usage import ContractUsage
from roadstead.controllers.status_writer import StatusWriter
from roadstead.kube.resources import MODELSERVES, RESOURCECONTRACTS
from roadstead.kube.watch_cache import Name, WatchCache
from roadstead.policy.contract_load import SETTLE


@dataclasses.dataclass(kw_only=True)
class ContractReconciler:
    """Counts, writes the status, and wakes the servers that it now means something else for.

    The status is written by compare-and-swap: what a webhook reserves meanwhile is never lost.
    `wake` has one ModelServe reconciled.
    """

    cache: WatchCache
    usage: ContractUsage
    status: StatusWriter
    wake: Callable[[Name], None]
    clock: Callable[[], datetime.datetime]
    _left_out: dict[str, frozenset[str]] = dataclasses.field(default_factory=dict)

    async def reconcile(self, key: Name) -> float | None:
        """Bring one contract's status up to date; seconds after which to look again."""
        name = key[1]
        raw = self.cache.get(RESOURCECONTRACTS, name)
        if raw is None:
            self._left_out.pop(name, None)
            self._wake_all(name)
            return None
        contract, now = ResourceContract.parse(raw), self.clock()
        left_out = self.usage.left_out(contract)
        servers = self.usage.servers(name)
        pending = tuple(
            each
            for each in contract.reservations
            if still_pending(each, servers.get(each.key), now)
        )
        status = status_of(
            contract,
            used=self.usage.used(name),
            pending=pending,
            left_out=len(left_out),
            now=now,
        )
        await self.status.write(RESOURCECONTRACTS, raw, status)
        self._tell(contract, status, left_out)
        return _again(contract, pending, now)

    def _tell(self, contract: ResourceContract, status: Raw, left_out: frozenset[str]) -> None:
        """Wake every server if the contract itself is another, else those with another turn."""
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
        for raw in self.cache.indexed(MODELSERVES, by_contract(contract)):
            meta = section(raw, "metadata")
            self.wake((meta["namespace"], meta["name"]))


def _essence(raw: Raw) -> tuple[int, bool]:
    """What all servers depend on: which spec the status is of, and whether it is in force."""
    valid = conditions.find(raw, "Valid")
    return section(raw, "status").get("observedGeneration", 0), valid is not None and valid.true


def _again(
    contract: ResourceContract, pending: tuple[Reservation, ...], now: datetime.datetime
) -> float | None:
    """Seconds until a reservation lapses or the contract ends; None if neither is to come."""
    moments = [
        each.reserved_at + delay
        for each in pending
        for delay in (SETTLE, KEPT)
        if each.reserved_at + delay > now
    ]
    if contract.expires_at is not None and contract.expires_at > now:
        moments.append(contract.expires_at)
    waits = [(moment - now).total_seconds() for moment in moments]
    return max(1.0, min(waits)) if waits else None
