"""Lists show a restore of etcd."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from roadstead.api.raw import Raw
from roadstead.errors import ClusterRestored, KubeUnavailable
from roadstead.kube.kube_client import Page
from roadstead.kube.lists import refresh
from roadstead.kube.resources import MODELS, NAMESPACES, Resource
from roadstead.kube.restores import require_complete
from roadstead.kube.watch_cache import WatchCache


def thing(name: str, version: int, uid: str = "") -> dict[str, Any]:
    """An object of any kind."""
    meta = {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": meta}


class Listed:
    """A list at one version."""

    def __init__(self, version: int, *things: Raw) -> None:
        self._page = Page(version=version, items=[dict(each) for each in things])

    async def list(self, resource: Resource, *, selector: str = "") -> AsyncIterator[Page]:
        """All objects."""
        yield self._page


async def test_a_list_below_a_known_version_shows_a_restore() -> None:
    cache = WatchCache()
    cache.note_version(MODELS, 40)
    with pytest.raises(ClusterRestored, match="at version 39, below version 40"):
        await refresh(Listed(39), cache, MODELS)


async def test_an_older_object_in_a_newer_list_shows_a_restore() -> None:
    cache = WatchCache()
    cache.put(MODELS, thing("a", 30))
    with pytest.raises(ClusterRestored, match="version 30 was read before"):
        await refresh(Listed(1_000, thing("a", 20)), cache, MODELS)


async def test_a_deleted_object_in_a_list_shows_a_restore() -> None:
    cache = WatchCache()
    cache.put(MODELS, thing("a", 20))
    cache.deleted(MODELS, thing("a", 30))
    with pytest.raises(ClusterRestored, match="it was deleted at 30"):
        await refresh(Listed(1_000, thing("a", 20)), cache, MODELS)


async def test_another_uid_of_kube_system_shows_another_cluster() -> None:
    cache = WatchCache()
    cache.put(NAMESPACES, thing("kube-system", 5, "ours"))
    with pytest.raises(ClusterRestored, match="another cluster"):
        await refresh(Listed(9, thing("kube-system", 6, "theirs")), cache, NAMESPACES)


async def test_events_during_a_list_do_not_show_a_restore() -> None:
    cache = WatchCache()

    class Late:
        async def list(self, resource: Resource, *, selector: str = "") -> AsyncIterator[Page]:
            """List after watches have reported later changes."""
            cache.put(MODELS, thing("written", 50))
            cache.deleted(MODELS, thing("deleted", 51))
            yield Page(version=40, items=[thing("written", 20), thing("deleted", 20)])

    await refresh(Late(), cache, MODELS)
    assert [raw["metadata"]["resourceVersion"] for raw in cache.all(MODELS)] == ["50"]


def test_a_dropped_cache_is_incomplete_until_it_is_listed() -> None:
    cache = WatchCache()
    cache.note_list(MODELS, 10)
    cache.drop()
    with pytest.raises(KubeUnavailable, match="models are being listed again"):
        require_complete(cache)
    cache.note_list(MODELS, 7)
    require_complete(cache)
