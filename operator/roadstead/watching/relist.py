"""Lists all watched kinds: at the start, after kopf has listed, and periodically."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from roadstead.api.raw import Raw
from roadstead.errors import ClusterRestored, KubeError, KubeNotFound, KubeRejected
from roadstead.kube.lists import Lister, refresh
from roadstead.kube.resources import Resource
from roadstead.kube.restores import require_as_new
from roadstead.kube.watch_cache import WatchCache
from roadstead.watching.watches import ROUTED, WATCHED

logger = logging.getLogger(__name__)

RELIST_SECONDS: Final = 2.0
RELIST_RETRY_SECONDS: Final = 8.0
"""The delay before another list after a failure."""
_KINDS: Final = {**WATCHED, **ROUTED}
_BY_PLURAL: Final = {resource.plural: resource for resource in _KINDS}


class VersionedLister(Lister, Protocol):
    """The methods of the API client that this module uses."""

    async def version(self, resource: Resource) -> int:
        """The current version of a kind."""


class Relist:
    """Updates the cache from lists; `changed` is called with each changed or deleted object."""

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
        self._restore_found = asyncio.Event()
        self.missing: set[Resource] = set()
        """Kinds of routes that are not installed in this cluster, or may not be read."""

    async def fill(self) -> None:
        """List all kinds before anything is reconciled; waits for the API server."""
        for resource in _KINDS:
            while True:
                try:
                    await self._list(resource)
                    break
                except KubeError as error:
                    logger.warning("waiting for the API server: %s", error)
                    await asyncio.sleep(RELIST_SECONDS)

    async def relist_all(self) -> None:
        """List all kinds again; a kind that can't be listed is unchanged."""
        for resource in _KINDS:
            await self._relist(resource)

    def listed(self, plural: str) -> None:
        """List a kind after kopf has: only a list shows deletions that no watch reported."""
        resource = _BY_PLURAL.get(plural)
        if resource is None:
            return
        task = self._relists.get(resource)
        if task is None or task.done():
            self._relists[resource] = asyncio.create_task(self._relist_until_done(resource))

    def resumed(self, plural: str) -> None:
        """Check a kind's version after kopf resumed its watch, to detect a restore of etcd."""
        resource = _BY_PLURAL.get(plural)
        if resource is not None and resource not in self.missing:
            self._checks[resource] = asyncio.create_task(self._check(resource))

    async def until_restored(self) -> None:
        """Raise ClusterRestored once a restore of etcd is detected."""
        await self._restore_found.wait()
        raise self._restored or ClusterRestored("etcd was restored to an earlier state")

    def tasks(self) -> Iterable[asyncio.Task[None]]:
        """The running lists and checks."""
        return [*self._relists.values(), *self._checks.values()]

    async def _check(self, resource: Resource) -> None:
        seen = self._cache.seen(resource)
        try:
            require_as_new(resource, await self._client.version(resource), seen)
        except ClusterRestored as error:
            self._set_restored(error)
        except KubeError as error:
            logger.warning("cannot read the version of %s: %s", resource.plural, error)
            self.listed(resource.plural)

    def _set_restored(self, error: ClusterRestored) -> None:
        self._restored = error
        self._restore_found.set()

    async def _relist_until_done(self, resource: Resource) -> None:
        """Retry until the list succeeds: nothing else shows unreported deletions soon."""
        while True:
            if await self._relist(resource):
                return
            await asyncio.sleep(RELIST_RETRY_SECONDS)

    async def _relist(self, resource: Resource) -> bool:
        await asyncio.sleep(RELIST_SECONDS)
        try:
            await self._list(resource)
        except KubeError as error:
            logger.warning("cannot list %s: %s", resource.plural, error)
            return False
        except ClusterRestored as error:
            self._set_restored(error)
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
