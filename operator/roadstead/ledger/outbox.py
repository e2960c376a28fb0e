"""What is not written yet: the latest state of each object, and the last so many other rows."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

from roadstead import metrics
from roadstead.ledger.records import AdmissionRecord, ObjectRecord, Record, UsageRecord, key_of
from roadstead.ledger.tables import TABLES

ROWS_KEPT: Final = 50_000
"""Rows of one table that follow no object, while Postgres is away; the oldest are dropped."""

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Waiting(Generic[_T]):
    """A record, and since when the first of its state has waited (by the outbox's clock)."""

    record: _T
    since: float


Batch = list[Waiting[Record]]


class Outbox:
    """Bounded by the number of objects and by ROWS_KEPT, whatever happens to Postgres.

    `changed` is set when something was put in.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._objects: OrderedDict[str, Waiting[ObjectRecord]] = OrderedDict()
        self._rows: dict[type[Record], deque[Waiting[Record]]] = {
            kind: deque() for kind in (UsageRecord, AdmissionRecord)
        }
        self.changed = asyncio.Event()

    def put(self, record: ObjectRecord) -> None:
        """The state of an object takes the place of an older one that waits."""
        before = self._objects.get(key_of(record))
        newest = record if before is None else _newer(before.record, record)
        self._place(newest, self._clock() if before is None else before.since)
        self.changed.set()

    def append(self, rows: Iterable[UsageRecord | AdmissionRecord]) -> None:
        """Rows of their own; beyond ROWS_KEPT the oldest go."""
        for record in rows:
            self._add(Waiting(record=record, since=self._clock()), first=False)
        self.changed.set()

    def take(self, limit: int) -> Batch:
        """The longest waiting, at most so many of each kind; they are no longer in here."""
        batch: Batch = []
        while self._objects and len(batch) < limit:
            _, each = self._objects.popitem(last=False)
            batch.append(Waiting(record=each.record, since=each.since))
        for queue in self._rows.values():
            batch += [queue.popleft() for _ in range(min(limit, len(queue)))]
        self.changed.clear()
        return batch

    def back(self, batch: Batch) -> None:
        """What could not be written waits again, where nothing newer took its place."""
        for each in reversed(batch):
            if isinstance(each.record, UsageRecord | AdmissionRecord):
                self._add(each, first=True)
            else:
                now = self._objects.get(key_of(each.record))
                self._place(now.record if now else each.record, each.since)

    def oldest(self) -> float:
        """Seconds that the longest waiting has waited; 0 where nothing does."""
        heads = [queue[0].since for queue in self._rows.values() if queue]
        heads += [each.since for each in self._objects.values()]
        return max(0.0, self._clock() - min(heads)) if heads else 0.0

    def counts(self) -> dict[type[Record], int]:
        """How many wait, by kind of record."""
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
    """The later state; of two of one version the second, unless the first is of one deleted."""
    if one.deleted_at is not None and other.deleted_at is None:
        return one
    return one if one.resource_version > other.resource_version else other
