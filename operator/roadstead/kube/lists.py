"""Updates the watch cache from a list: at the start, and when a watch restarts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from roadstead.api.raw import Raw
from roadstead.kube.kube_client import Page
from roadstead.kube.resources import Resource
from roadstead.kube.restores import require_as_new, require_consistent
from roadstead.kube.watch_cache import Name, WatchCache


class Lister(Protocol):
    """The method of the API client that lists."""

    def list(self, resource: Resource, *, selector: str = "") -> AsyncIterator[Page]:
        """All objects of a kind at one version, in pages."""


async def refresh(
    client: Lister, cache: WatchCache, resource: Resource, *, selector: str = ""
) -> list[Raw]:
    """List a kind into the cache; returns as `take_list`."""
    return await take_list(client.list(resource, selector=selector), cache, resource)


async def take_list(pages: AsyncIterator[Page], cache: WatchCache, resource: Resource) -> list[Raw]:
    """Put a whole list into the cache; returns the objects that were changed or deleted meanwhile.

    An interrupted watch does not report the deletions in between: only a list shows them. The
    list's version is `cache.listed(resource)` afterwards.
    Raises ClusterRestored if the list contradicts the cache.
    """
    seen = cache.seen(resource)
    changed: list[Raw] = []
    listed: set[Name] = set()
    version = 0
    async for page in pages:
        version = page.version
        require_as_new(resource, version, seen)
        for raw in page.items:
            require_consistent(cache, resource, raw, version)
            listed.add((raw["metadata"].get("namespace", ""), raw["metadata"]["name"]))
            # The reduced objects, a quarter of the size: thousands may have changed.
            changed += cache.take(resource, raw)
    gone = [
        cache.remove(resource, name, at=version)
        for name in cache.vanished(resource, listed, version)
    ]
    cache.note_list(resource, version)
    return changed + [raw for raw in gone if raw is not None]
