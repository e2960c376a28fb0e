"""The work queue between the watches and the reconcilers."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from roadstead import logs, metrics
from roadstead.errors import KubeConflict, KubeNotFound, KubeUnavailable, RoadsteadError
from roadstead.exponential_backoff import Backoff
from roadstead.kube.watch_cache import Name

logger = logging.getLogger(__name__)

RECONCILE_BACKOFF: Final = Backoff(first=0.25, longest=300.0)
UNAVAILABLE_BACKOFF: Final = 30.0
"""The longest delay if the API server is unavailable, which may be short."""

Reconcile = Callable[[Name], Awaitable[float | None]]
"""Reconciles one object; seconds after which to look again, or None for only when it changes."""


class WorkQueue:
    """A queue with one entry per object; an object is never reconciled by two workers at once.

    An object that is queued during its reconcile is reconciled again afterwards. A failed reconcile
    is retried with growing, jittered delays, and does not delay other objects.
    """

    def __init__(self, kind: str, reconcile: Reconcile, *, workers: int) -> None:
        self._kind = kind
        self._reconcile = reconcile
        self._slots = asyncio.Semaphore(workers)
        self._due: dict[Name, float] = {}
        self._heap: list[tuple[float, int, Name]] = []
        self._order = itertools.count()
        self._active: set[Name] = set()
        self._again: set[Name] = set()
        self._failures: dict[Name, int] = {}
        self._changed = asyncio.Event()
        self._started: float | None = None
        self._length = metrics.QUEUE_LENGTH.labels(kind)

    def put(self, key: Name, *, delay: float = 0) -> None:
        """Queue a reconcile after `delay` seconds, or earlier if one is due earlier."""
        when = time.monotonic() + delay
        if self._due.get(key, when + 1) <= when:
            return
        self._due[key] = when
        heapq.heappush(self._heap, (when, next(self._order), key))
        self._length.set(len(self._due))
        self._changed.set()

    def oldest(self) -> float:
        """Seconds since the earliest entry became due; 0 if none is due or `run` was not called."""
        if self._started is None:
            return 0.0
        due = min(self._due.values(), default=float("inf"))
        return max(0.0, time.monotonic() - max(due, self._started))

    async def run(self) -> None:
        """Reconcile objects until cancelled."""
        self._started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while True:
                await self._slots.acquire()
                key = await self._take()
                group.create_task(self._work(key))

    async def _take(self) -> Name:
        """Wait for the next object that is due and not being reconciled."""
        while True:
            self._changed.clear()
            wait = self._wait()
            if wait == 0:
                _, _, key = heapq.heappop(self._heap)
                del self._due[key]
                self._length.set(len(self._due))
                if key not in self._active:
                    self._active.add(key)
                    return key
                self._again.add(key)
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _wait(self) -> float | None:
        """Seconds until the head of the heap is due, None if it is empty."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None

    async def _work(self, key: Name) -> None:
        namespace, name = key
        try:
            with logs.about("/".join(filter(None, (self._kind, namespace, name)))):
                delay = await self._attempt(key)
            if delay is not None:
                self.put(key, delay=delay)
        finally:
            self._active.discard(key)
            self._slots.release()
            if key in self._again:
                self._again.discard(key)
                self.put(key)

    async def _attempt(self, key: Name) -> float | None:
        """Reconcile once; an error affects this object alone."""
        started = time.monotonic()
        result = "error"
        try:
            delay = await self._reconcile(key)
        except (KubeConflict, KubeNotFound, KubeUnavailable) as error:
            # Not found: the object or its namespace was deleted meanwhile; the watch reports it.
            result = "retry"
            logger.info("retrying soon: %s", error)
            delay = self._failed(key)
            unavailable = isinstance(error, KubeUnavailable)
            return min(delay, UNAVAILABLE_BACKOFF) if unavailable else delay
        except RoadsteadError as error:
            logger.warning("%s", error)
            return self._failed(key)
        except Exception:
            logger.exception("the reconcile failed")
            return self._failed(key)
        else:
            result = "done"
            self._failures.pop(key, None)
            return delay
        finally:
            metrics.RECONCILES.labels(self._kind, result).inc()
            metrics.RECONCILE_SECONDS.labels(self._kind).observe(time.monotonic() - started)

    def _failed(self, key: Name) -> float:
        self._failures[key] = self._failures.get(key, 0) + 1
        return RECONCILE_BACKOFF.jittered(self._failures[key])
