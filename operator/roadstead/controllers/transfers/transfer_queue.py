"""Which transfer starts next: tenants take turns; within a tenant, the one that waited longest.

No I/O, but state: the queue has the order of tenants and the running transfers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

NOBODY: Final = ""
"""The tenant of Models that no server uses."""


class TransferQueue:
    """At most `concurrency` transfers run; the others wait.

    Tenants are in an order, each with its waiting transfers. The first tenant that has one gets a
    start and moves to the end, as does every other tenant of that transfer. So one of T waiting
    tenants gets one of the next T starts, independent of the number of transfers of the others.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._waiting: dict[str, frozenset[str]] = {}
        self._running: set[str] = set()
        self._order: dict[str, None] = {}

    @property
    def running(self) -> int:
        """The number of running transfers."""
        return len(self._running)

    def put(self, uid: str, tenants: Collection[str]) -> None:
        """Queue a transfer for these tenants, or replace its tenants; ignored if it runs."""
        if uid in self._running:
            return
        self._waiting[uid] = frozenset(tenants) or frozenset((NOBODY,))
        for tenant in sorted(self._waiting[uid]):
            self._order.setdefault(tenant)

    def waits(self, uid: str) -> bool:
        """Whether the transfer is waiting."""
        return uid in self._waiting

    def take(self) -> str | None:
        """Mark the next transfer as running and return it; None if none can start."""
        if len(self._running) >= self._concurrency:
            return None
        for tenant in list(self._order):
            uid = next((uid for uid, its in self._waiting.items() if tenant in its), None)
            if uid is not None:
                self._start(uid)
                return uid
            del self._order[tenant]
        return None

    def run(self, uid: str) -> None:
        """Mark a transfer as running that an earlier process started."""
        self._waiting.pop(uid, None)
        self._running.add(uid)

    def drop(self, uid: str) -> None:
        """Remove a transfer that has ended or is no longer needed."""
        self._waiting.pop(uid, None)
        self._running.discard(uid)

    def _start(self, uid: str) -> None:
        for tenant in sorted(self._waiting.pop(uid)):
            self._order.pop(tenant, None)
            self._order[tenant] = None
        self._running.add(uid)
