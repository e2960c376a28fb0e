"""Keeps one kind in the watch cache, whatever sends its watch: kopf's connection or our client.

Before each watch: the pause, and then a list or the check for a restore of etcd. During it: the
version, signs of life, and the cache. `watch_state.py` decides which.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

from prometheus_client import Gauge

from roadstead.api.raw import Raw
from roadstead.errors import KubeError, KubeGone
from roadstead.kube.kube_client import Object, Page
from roadstead.kube.lists import take_list
from roadstead.kube.resources import Resource
from roadstead.kube.restores import require_as_new
from roadstead.kube.watch_cache import WatchCache, version
from roadstead.kube.watch_state import WatchState

logger = logging.getLogger(__name__)

WATCH_SILENCE: Final = Gauge(
    "roadstead_watch_silence_seconds",
    "Time since the last event or bookmark of a watch; the API server sends a bookmark about every "
    "minute.",
    ["resource"],
)
WATCH_SECONDS: Final = 300


class ListClient(Protocol):
    """The methods of the API client that this module uses."""

    def list(
        self, resource: Resource, *, selector: str = "", namespace: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """All objects of a kind at one version, in pages."""

    async def version(self, resource: Resource, *, namespace: str = "", fields: str = "") -> int:
        """The current version of a kind."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scope:
    """The watched objects of a kind: all, or those of a namespace or a selector."""

    namespace: str = ""
    selector: str = ""
    fields: str = ""


class KindSync:
    """One kind in the cache; `changed` is called with each created, changed or deleted object."""

    def __init__(
        self,
        client: ListClient,
        cache: WatchCache,
        resource: Resource,
        *,
        scope: Scope | None = None,
        state: WatchState | None = None,
        changed: Callable[[Raw], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.resource = resource
        self.scope = scope or Scope()
        self.state = state or WatchState()
        self._client = client
        self._cache = cache
        self._changed = changed
        self._sleep = sleep

    def measure_silence(self) -> None:
        """Report the silence of this watch in the metrics, counted from now on."""
        self.state.expect_events()
        WATCH_SILENCE.labels(self.resource.plural).set_function(self.state.silence)

    async def prepare(self) -> int:
        """Begin an attempt: pause, list or check the version; returns the version to watch from.

        Raises KubeError, and ClusterRestored if the API server's state is older than the cache.
        """
        await self._sleep(self.state.pause())
        self.state.begin()
        if self.state.list_due:
            await self.list()
        else:
            await self._require_no_restore()
        return self.state.version

    async def list(self) -> None:
        """Update the cache from a list; raises KubeError and ClusterRestored."""
        scope = self.scope
        pages = self._client.list(
            self.resource, selector=scope.selector, namespace=scope.namespace, fields=scope.fields
        )
        for raw in await take_list(pages, self._cache, self.resource):
            self._changed(raw)
        self.state.listed(self._cache.listed(self.resource))

    async def _require_no_restore(self) -> None:
        """Check the version: after a restore, a watch from the old version would be silent."""
        scope, seen = self.scope, self._cache.seen(self.resource)
        current = await self._client.version(
            self.resource, namespace=scope.namespace, fields=scope.fields
        )
        require_as_new(self.resource, current, seen)

    def received(self, event: Object) -> bool:
        """Record an event or a bookmark; returns whether the cache lacks it.

        The response to each of our writes is put into the cache at once; its event arrives later.
        """
        raw = event["object"]
        self.state.received(version(raw))
        self._cache.note_version(self.resource, version(raw))
        if event["type"] in ("ADDED", "MODIFIED"):
            return not self._cache.knows(self.resource, raw)
        return bool(event["type"] == "DELETED")

    def apply(self, event: Object) -> None:
        """Put the object of an event into the cache, or remove it."""
        typed = {"apiVersion": self.resource.api_version, "kind": self.resource.kind}
        raw: Raw = {**typed, **event["object"]}
        if event["type"] == "DELETED":
            self._cache.deleted(self.resource, raw)
            self._changed(raw)
        else:
            for each in self._cache.take(self.resource, raw):
                self._changed(each)

    def ended(self, error: KubeError | None = None) -> None:
        """Record how an attempt ended: as requested, or by this error."""
        if error is None:
            self.state.ended()
        elif isinstance(error, KubeGone):
            logger.info("listing %s again: %s", self.resource.plural, error)
            self.state.expired()
        else:
            logger.warning("the watch of %s failed: %s", self.resource.plural, error)
            self.state.failed()


def watch_seconds() -> int:
    """The time after which the API server ends a watch; random, so that reconnects are spread."""
    return WATCH_SECONDS - random.randrange(60)  # noqa: S311 - not a secret
