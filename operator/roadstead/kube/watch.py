"""Keeps one kind in the watch cache: lists, watches, and lists again after an error."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

from prometheus_client import Gauge

from roadstead.api.raw import Raw, section
from roadstead.clocks import Stopwatch
from roadstead.errors import ClusterRestored, KubeError, KubeGone
from roadstead.exponential_backoff import Backoff
from roadstead.kube.kube_client import Object, Page
from roadstead.kube.lists import refresh
from roadstead.kube.resources import Resource
from roadstead.kube.restores import require_as_new
from roadstead.kube.watch_cache import WatchCache

logger = logging.getLogger(__name__)

WATCH_SILENCE: Final = Gauge(
    "roadstead_watch_silence_seconds",
    "Time since the last event or bookmark of a watch; the API server sends a bookmark about every "
    "minute.",
    ["resource"],
)
"""Of every process: the operator's kopf watches are in it too (`watching/watch_health.py`)."""
WATCH_SECONDS: Final = 300
WATCH_TIMEOUT_SECONDS: Final = 90.0
"""The API server sends a bookmark about once a minute, so a silent watch has failed."""
WATCH_BACKOFF: Final = Backoff(first=0.2, longest=15.0)


class WatchClient(Protocol):
    """The methods of the API client that this module uses."""

    def list(
        self, resource: Resource, *, selector: str = "", namespace: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """All objects of a kind at one version, in pages."""

    async def version(self, resource: Resource, *, namespace: str = "", fields: str = "") -> int:
        """The current version of a kind."""

    def watch(
        self,
        resource: Resource,
        *,
        version: int,
        seconds: int,
        silence: float,
        namespace: str = "",
        fields: str = "",
    ) -> AsyncIterator[Object]:
        """The watch events after `version`, bookmarks included."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scope:
    """The objects of a kind to watch: all, or those of a namespace or a field selector."""

    namespace: str = ""
    fields: str = ""


class Watcher:
    """Keeps one kind in the cache until cancelled; errors are logged.

    A watch that is silent for `silence` seconds is closed, and the kind is listed again. So it is
    after the API server was unavailable, since it may return with an older state. Otherwise its
    version is compared before a watch resumes. After a restore of etcd, the whole cache is dropped
    and all watchers list again.
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
        self._resource = resource
        self._scope = scope or Scope()
        self._silence = silence
        self._clock = clock
        self._sleep = sleep
        self._version = 0
        self._alive: float | None = None
        self._received = False
        self._until: asyncio.Timeout | None = None
        cache.on_drop(self._restart)

    @property
    def name(self) -> str:
        """The plural of the watched kind."""
        return self._resource.plural

    def silence(self) -> float:
        """Seconds since the last event; infinite before the first list."""
        return float("inf") if self._alive is None else self._clock() - self._alive

    async def run(self) -> None:
        """List and watch until cancelled, with growing, jittered pauses after failures."""
        failures = 0
        while True:
            started, failed = self._clock(), False
            try:
                await self._attempt()
            except KubeGone:
                logger.info("listing %s again", self.name)
                self._version = 0
            except ClusterRestored as error:
                logger.warning("%s; the caches are dropped", error)
                self._cache.drop()
            except KubeError as error:
                logger.warning("the watch of %s failed: %s", self.name, error)
                failed = True
                self._forget()
            # A server that ends watches at once must not get thousands of requests a second.
            failures = failures + 1 if failed or self._clock() - started < 1 else 0
            await self._sleep(WATCH_BACKOFF.jittered(failures))

    async def _attempt(self) -> None:
        """List if necessary, and watch; raises KubeGone if the cache was dropped meanwhile."""
        self._received = False
        try:
            async with asyncio.timeout(None) as self._until:
                await self._once()
        except TimeoutError:
            raise KubeGone(f"the cache of {self.name} was dropped") from None
        finally:
            self._until = None

    def _restart(self) -> None:
        """Start again with a list, since the cache was dropped."""
        self._version, self._alive = 0, None
        if self._until is not None and not self._until.expired():
            self._until.reschedule(asyncio.get_running_loop().time())

    def _forget(self) -> None:
        """List again after a long silence: a resumed watch is silent until its next bookmark.

        Also after an attempt without any event: the API server may have been unavailable.
        """
        if not self._received or self.silence() >= self._silence:
            self._version = 0

    async def _once(self) -> None:
        if self._version:
            await self._require_no_restore()
        else:
            await refresh(
                _Scoped(self._client, self._scope, self._listed), self._cache, self._resource
            )
            self._alive = self._clock()
        events = self._client.watch(
            self._resource,
            version=self._version,
            seconds=WATCH_SECONDS - random.randrange(60),  # noqa: S311 - spreads reconnects
            silence=self._silence,
            namespace=self._scope.namespace,
            fields=self._scope.fields,
        )
        async for event in events:
            self._alive, self._received = self._clock(), True
            self._take(event)

    async def _require_no_restore(self) -> None:
        """Check the version: after a restore, a watch from the old version would be silent."""
        scope, seen = self._scope, self._cache.seen(self._resource)
        current = await self._client.version(
            self._resource, namespace=scope.namespace, fields=scope.fields
        )
        require_as_new(self._resource, current, seen)

    def _listed(self, version: int) -> None:
        self._version = version

    def _take(self, event: Object) -> None:
        raw: Raw = {
            "apiVersion": self._resource.api_version,
            "kind": self._resource.kind,
            **event["object"],
        }
        meta = section(raw, "metadata")
        self._version = int(meta.get("resourceVersion") or self._version)
        self._cache.note_version(self._resource, self._version)
        if event["type"] == "DELETED":
            self._cache.deleted(self._resource, raw)
        elif event["type"] in ("ADDED", "MODIFIED"):
            self._cache.put(self._resource, raw)


class _Scoped:
    """A lister of one scope, which reports the version of the list."""

    def __init__(self, client: WatchClient, scope: Scope, listed: Callable[[int], None]) -> None:
        self._client = client
        self._scope = scope
        self._listed = listed

    async def list(self, resource: Resource, *, selector: str = "") -> AsyncIterator[Page]:
        """All objects of the scope."""
        scope = self._scope
        pages = self._client.list(
            resource, selector=selector, namespace=scope.namespace, fields=scope.fields
        )
        async for page in pages:
            self._listed(page.version)
            yield page
