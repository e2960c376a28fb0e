"""Which transfer starts next: tenants take turns; of a tenant, the one that has waited longest.

No I/O, but state: the queue holds the line of tenants and what runs.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

NOBODY: Final = ""
"""The tenant of Models that no server uses."""


class TransferQueue:
    """At most `concurrency` transfers run; the others wait in line.

    Tenants stand in a line, each with the transfers that wait for it. The first one that has some
    gets a start and goes to the end, and so does every other tenant that this start is for. So a
    tenant that waits among T gets a start within T of them, however many the others wait for.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._waiting: dict[str, frozenset[str]] = {}
        self._running: set[str] = set()
        self._line: dict[str, None] = {}

    @property
    def running(self) -> int:
        """How many run."""
        return len(self._running)

    def put(self, uid: str, tenants: Collection[str]) -> None:
        """A transfer waits, for these tenants from now on; one that runs goes on."""
        if uid in self._running:
            return
        self._waiting[uid] = frozenset(tenants) or frozenset((NOBODY,))
        for tenant in sorted(self._waiting[uid]):
            self._line.setdefault(tenant)

    def waits(self, uid: str) -> bool:
        """Whether it is in the line."""
        return uid in self._waiting

    def take(self) -> str | None:
        """The transfer to start now, which runs from now on; None for none."""
        if len(self._running) >= self._concurrency:
            return None
        for tenant in list(self._line):
            uid = next((uid for uid, its in self._waiting.items() if tenant in its), None)
            if uid is not None:
                self._start(uid)
                return uid
            del self._line[tenant]
        return None

    def run(self, uid: str) -> None:
        """It runs already, whatever the line says: it was begun before this process."""
        self._waiting.pop(uid, None)
        self._running.add(uid)

    def drop(self, uid: str) -> None:
        """It has ended, or is wanted no more."""
        self._waiting.pop(uid, None)
        self._running.discard(uid)

    def _start(self, uid: str) -> None:
        for tenant in sorted(self._waiting.pop(uid)):
            self._line.pop(tenant, None)
            self._line[tenant] = None
        self._running.add(uid)
