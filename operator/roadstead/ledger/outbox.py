"""Unwritten records: the latest state of each object, and a limited number of other rows."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

from roadstead import metrics
from roadstead.clocks import Stopwatch
from roadstead.ledger.records import AdmissionRecord, ObjectRecord, Record, UsageRecord, key_of
from roadstead.ledger.tables import TABLES

ROWS_KEPT: Final = 50_000
"""Limit for each table of samples and admissions; the oldest rows are dropped."""

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Waiting(Generic[_T]):
    """A record, and when the first unwritten state of its object was added (outbox's clock)."""

    record: _T
    since: float


Batch = list[Waiting[Record]]


class Outbox:
    """Bounded by the number of objects and by ROWS_KEPT, even while Postgres is unavailable.

    `changed` is set when a record is added.
    """

    def __init__(self, clock: Stopwatch = time.monotonic) -> None:
        self._clock = clock
        self._objects: OrderedDict[str, Waiting[ObjectRecord]] = OrderedDict()
        self._rows: dict[type[Record], deque[Waiting[Record]]] = {
            kind: deque() for kind in (UsageRecord, AdmissionRecord)
        }
        self.changed = asyncio.Event()

    def put(self, record: ObjectRecord) -> None:
        """Add the state of an object, replacing an older unwritten one."""
        before = self._objects.get(key_of(record))
        newest = record if before is None else _newer(before.record, record)
        self._place(newest, self._clock() if before is None else before.since)
        self.changed.set()

    def append(self, rows: Iterable[UsageRecord | AdmissionRecord]) -> None:
        """Add samples or admissions; beyond ROWS_KEPT the oldest are dropped."""
        for record in rows:
            self._add(Waiting(record=record, since=self._clock()), first=False)
        self.changed.set()

    def take(self, limit: int) -> Batch:
        """Remove and return the longest waiting: up to `limit` objects, and rows of each table."""
        batch: Batch = []
        while self._objects and len(batch) < limit:
            _, each = self._objects.popitem(last=False)
            batch.append(Waiting(record=each.record, since=each.since))
        for queue in self._rows.values():
            batch += [queue.popleft() for _ in range(min(limit, len(queue)))]
        self.changed.clear()
        return batch

    def put_back(self, batch: Batch) -> None:
        """Add an unwritten batch again; newer states of objects stay."""
        for each in reversed(batch):
            if isinstance(each.record, UsageRecord | AdmissionRecord):
                self._add(each, first=True)
            else:
                now = self._objects.get(key_of(each.record))
                self._place(now.record if now else each.record, each.since)

    def oldest(self) -> float:
        """Return how many seconds the longest waiting record has waited; 0 if none waits."""
        heads = [queue[0].since for queue in self._rows.values() if queue]
        heads += [each.since for each in self._objects.values()]
        return max(0.0, self._clock() - min(heads)) if heads else 0.0

    def counts(self) -> dict[type[Record], int]:
        """Return the number of unwritten records, by kind."""
        found: dict[type[Record], int] = {kind: len(queue) for kind, queue in self._rows.items()}
        for each in self._objects.values():
            found[type(each.record)] = found.get(type(each.record), 0) + 1
        return found

    def __len__(self) -> int:
        return len(self._objects) + sum(map(len, self._rows.values()))

    def _place(self, record: ObjectRecord, since: float) -> None:
        self._objects[key_of(record)] = Waiting(record=record, since=since)

    def _add(self, waiting: Waiting[Record], *, first: bool) -> None:
        queue = self._rows[type(waiting.record)]
        if len(queue) >= ROWS_KEPT:
            metrics.LEDGER_DROPPED.labels(TABLES[type(waiting.record)].name).inc()
            if first:
                return
            queue.popleft()
        (queue.appendleft if first else queue.append)(waiting)


def _newer(one: ObjectRecord, other: ObjectRecord) -> ObjectRecord:
    """Return the later state; of equal versions the second, unless the first is a deletion.

    The state after a deletion is that of another object: of a restored server with the same ID.
    """
    restored = other.created_at > one.created_at
    if one.deleted_at is not None and other.deleted_at is None and not restored:
        return one
    return one if one.resource_version > other.resource_version else other
