"""The work queue between the watches and the reconcilers."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from roadstead import logs, metrics
from roadstead.errors import KubeConflict, KubeNotFound, KubeUnavailable, RoadsteadError
from roadstead.kube.watch_cache import Name

logger = logging.getLogger(__name__)

FIRST_BACKOFF: Final = 0.25
MAX_BACKOFF_SECONDS: Final = 300.0
AWAY_BACKOFF: Final = 30.0
"""The longest wait where it was the API server's fault: it may be well again at any moment."""

Reconcile = Callable[[Name], Awaitable[float | None]]
"""Reconciles one object; seconds after which to look again, or None for only when it changes."""


def backoff(failures: int, *, spread: float) -> float:
    """Seconds to wait after the n-th failure in a row: doubling from 0.25 to 300.

    `spread`, from 0 to 1, takes up to half of it off, so that many objects that failed at once
    don't come back at once.
    """
    delay = min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF * 2.0 ** min(failures - 1, 20))
    return delay * (1 - spread / 2)


class WorkQueue:
    """One entry per object, `workers` at a time, an object never by two workers at once.

    An object that comes again while it is being worked on is taken up once more afterwards. One
    that fails waits with growing, jittered delays, and holds up no other.
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
        self._began: float | None = None
        self._length = metrics.QUEUE_LENGTH.labels(kind)

    def put(self, key: Name, *, delay: float = 0) -> None:
        """Have an object reconciled after `delay` seconds, or earlier if it is due earlier."""
        when = time.monotonic() + delay
        if self._due.get(key, when + 1) <= when:
            return
        self._due[key] = when
        heapq.heappush(self._heap, (when, next(self._order), key))
        self._length.set(len(self._due))
        self._changed.set()

    def oldest(self) -> float:
        """Seconds that the object that is due longest has been waiting; 0 if none is.

        In a queue that nobody works on yet, nothing waits.
        """
        if self._began is None:
            return 0.0
        due = min(self._due.values(), default=float("inf"))
        return max(0.0, time.monotonic() - max(due, self._began))

    async def run(self) -> None:
        """Work until cancelled."""
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while True:
                await self._slots.acquire()
                key = await self._take()
                group.create_task(self._work(key))

    async def _take(self) -> Name:
        """Wait for the next object that is due and that nobody works on."""
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
        """Reconcile once; whatever goes wrong concerns this object alone."""
        started = time.monotonic()
        result = "error"
        try:
            delay = await self._reconcile(key)
        except (KubeConflict, KubeNotFound, KubeUnavailable) as error:
            # Not found: it, or its namespace, went while we were at it; the watch tells us next.
            result = "retry"
            logger.info("tried again soon: %s", error)
            delay = self._failed(key)
            return min(delay, AWAY_BACKOFF) if isinstance(error, KubeUnavailable) else delay
        except RoadsteadError as error:
            logger.warning("%s", error)
            return self._failed(key)
        except Exception:
            logger.exception("this object could not be reconciled")
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
        return backoff(self._failures[key], spread=random.random())  # noqa: S311 - jitter only
