"""Lists everything that is watched: at the start, after kopf has listed, and periodically."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from roadstead.api.raw import Raw
from roadstead.controllers.watches import ROUTED, WATCHED
from roadstead.errors import ClusterRestored, KubeError, KubeNotFound, KubeRejected
from roadstead.kube.lists import Lister, refresh
from roadstead.kube.resources import Resource
from roadstead.kube.restores import require_as_new
from roadstead.kube.watch_cache import WatchCache

logger = logging.getLogger(__name__)

RELIST_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 8.0
"""How long it takes until another list is tried where one failed."""
_KINDS: Final = {**WATCHED, **ROUTED}
_BY_PLURAL: Final = {resource.plural: resource for resource in _KINDS}


class VersionedLister(Lister, Protocol):
    """The part of the API client that lists, and tells a kind's version."""

    async def version(self, resource: Resource) -> int:
        """The version that a kind is at now."""


class Relist:
    """Brings the cache to what a list says; `changed` is called with all that is other or gone."""

    def __init__(
        self,
        client: VersionedLister,
        cache: WatchCache,
        *,
        changed: Callable[[Resource, Raw], None],
    ) -> None:
        self._client = client
        self._cache = cache
        self._changed = changed
        self._relists: dict[Resource, asyncio.Task[None]] = {}
        self._checks: dict[Resource, asyncio.Task[None]] = {}
        self._restored: ClusterRestored | None = None
        self._went_back = asyncio.Event()
        self.missing: set[Resource] = set()
        """Kinds of routes that this cluster does not know, or that are not ours to read."""

    async def fill(self) -> None:
        """List all before anything is decided; waits for the API server if it must."""
        for resource in _KINDS:
            while True:
                try:
                    await self._list(resource)
                    break
                except KubeError as error:
                    logger.warning("waiting for the API server: %s", error)
                    await asyncio.sleep(RELIST_SECONDS)

    async def again(self) -> None:
        """List all once more; what can't be listed stays as it is."""
        for resource in _KINDS:
            await self._relist(resource)

    def listed(self, plural: str) -> None:
        """kopf has listed a kind: what vanished before, without an event, is found by our list."""
        resource = _BY_PLURAL.get(plural)
        if resource is None:
            return
        task = self._relists.get(resource)
        if task is None or task.done():
            self._relists[resource] = asyncio.create_task(self._relist_at_last(resource))

    def resumed(self, plural: str) -> None:
        """kopf watches on from where a watch ended: that the cluster is past that is checked."""
        resource = _BY_PLURAL.get(plural)
        if resource is not None and resource not in self.missing:
            self._checks[resource] = asyncio.create_task(self._check(resource))

    async def until_restored(self) -> None:
        """Raises ClusterRestored once the cluster's state went back."""
        await self._went_back.wait()
        raise self._restored or ClusterRestored("the cluster's state went back")

    def tasks(self) -> Iterable[asyncio.Task[None]]:
        """The lists that are under way."""
        return [*self._relists.values(), *self._checks.values()]

    async def _check(self, resource: Resource) -> None:
        seen = self._cache.seen(resource)
        try:
            require_as_new(resource, await self._client.version(resource), seen)
        except ClusterRestored as error:
            self._found(error)
        except KubeError as error:
            logger.warning("the version of %s could not be read: %s", resource.plural, error)
            self.listed(resource.plural)

    def _found(self, error: ClusterRestored) -> None:
        self._restored = error
        self._went_back.set()

    async def _relist_at_last(self, resource: Resource) -> None:
        """Until it is done: nothing else tells soon of what has vanished."""
        while True:
            if await self._relist(resource):
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def _relist(self, resource: Resource) -> bool:
        await asyncio.sleep(RELIST_SECONDS)
        try:
            await self._list(resource)
        except KubeError as error:
            logger.warning("%s could not be listed: %s", resource.plural, error)
            return False
        except ClusterRestored as error:
            self._found(error)
        return True

    async def _list(self, resource: Resource) -> None:
        try:
            selector = _KINDS[resource]
            for raw in await refresh(self._client, self._cache, resource, selector=selector):
                self._changed(resource, raw)
        except (KubeNotFound, KubeRejected):
            if resource not in ROUTED:
                raise
            self.missing.add(resource)
        else:
            self.missing.discard(resource)
