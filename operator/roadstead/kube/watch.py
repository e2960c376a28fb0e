"""Watches one kind with our API client; the operator's kinds are watched by kopf."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from roadstead.clocks import Stopwatch
from roadstead.errors import ClusterRestored, KubeError, KubeGone
from roadstead.kube.kind_sync import KindSync, ListClient, Scope, watch_seconds
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import Resource
from roadstead.kube.watch_cache import WatchCache
from roadstead.kube.watch_state import WATCH_TIMEOUT_SECONDS, WatchState

logger = logging.getLogger(__name__)


class WatchClient(ListClient, Protocol):
    """The methods of the API client that this module uses."""

    def watch(
        self,
        resource: Resource,
        *,
        version: int,
        seconds: int,
        silence: float,
        selector: str = "",
        namespace: str = "",
        fields: str = "",
    ) -> AsyncIterator[Object]:
        """The watch events after `version`, bookmarks included."""


class Watcher:
    """Keeps one kind in the cache until cancelled; errors are logged.

    A watch that is silent for `silence` seconds is closed. After a restore of etcd, the whole cache
    is dropped and all watchers list again.
    """

    def __init__(
        self,
        client: WatchClient,
        cache: WatchCache,
        resource: Resource,
        *,
        scope: Scope | None = None,
        silence: float = WATCH_TIMEOUT_SECONDS,
        clock: Stopwatch = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._cache = cache
        self._state = WatchState(limit=silence, clock=clock)
        self._sync = KindSync(client, cache, resource, scope=scope, state=self._state, sleep=sleep)
        self._until: asyncio.Timeout | None = None
        self._sync.measure_silence()
        cache.on_drop(self._restart)

    @property
    def name(self) -> str:
        """The plural of the watched kind."""
        return self._sync.resource.plural

    def silence(self) -> float:
        """Seconds since the last event; infinite before the first list."""
        return self._state.silence()

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            try:
                self._sync.ended(await self._attempt())
            except ClusterRestored as error:
                logger.warning("%s; the caches are dropped", error)
                self._cache.drop()

    async def _attempt(self) -> KubeError | None:
        """List or resume, and watch; returns the error that ended it."""
        try:
            async with asyncio.timeout(None) as self._until:
                await self._watch(await self._sync.prepare())
        except TimeoutError:
            return KubeGone(f"the cache of {self.name} was dropped")
        except KubeError as error:
            return error
        finally:
            self._until = None
        return None

    async def _watch(self, version: int) -> None:
        scope = self._sync.scope
        events = self._client.watch(
            self._sync.resource,
            version=version,
            seconds=watch_seconds(),
            silence=self._state.limit,
            selector=scope.selector,
            namespace=scope.namespace,
            fields=scope.fields,
        )
        async for event in events:
            if self._sync.received(event):
                self._sync.apply(event)

    def _restart(self) -> None:
        """Start again with a list, since the cache was dropped."""
        self._state.dropped()
        if self._until is not None and not self._until.expired():
            self._until.reschedule(asyncio.get_running_loop().time())
