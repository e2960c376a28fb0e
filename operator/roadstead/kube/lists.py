"""Bringing the watch cache to what a list says: at the start, and when a watch began anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from roadstead.api.raw import Raw
from roadstead.kube.kube_client import Page
from roadstead.kube.resources import Resource
from roadstead.kube.restores import require_as_new, require_consistent
from roadstead.kube.watch_cache import Name, WatchCache


class Lister(Protocol):
    """The part of the API client that lists."""

    def list(self, resource: Resource, *, selector: str = "") -> AsyncIterator[Page]:
        """Every object of a kind, in pages of one version."""


async def refresh(
    client: Lister, cache: WatchCache, resource: Resource, *, selector: str = ""
) -> list[Raw]:
    """List a kind into the cache; the objects that changed and those that vanished meanwhile.

    A watch that was cut off tells nothing of what was deleted in between: only a list does.
    Raises ClusterRestored where the list contradicts what the cache has.
    """
    seen = cache.seen(resource)
    changed: list[Raw] = []
    listed: set[Name] = set()
    version = 0
    async for page in client.list(resource, selector=selector):
        version = page.version
        require_as_new(resource, version, seen)
        for raw in page.items:
            require_consistent(cache, resource, raw, version)
            listed.add((raw["metadata"].get("namespace", ""), raw["metadata"]["name"]))
            # As the cache has them, which is a quarter of each: thousands may have changed.
            changed += cache.take(resource, raw)
    gone = [
        cache.remove(resource, name, at=version)
        for name in cache.vanished(resource, listed, version)
    ]
    cache.note_list(resource, version)
    return changed + [raw for raw in gone if raw is not None]
