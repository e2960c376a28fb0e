"""What a list shows of a cluster whose state went back, as by a restore of etcd."""

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
    """An object of either kind."""
    meta = {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": meta}


class Listed:
    """A list of one version."""

    def __init__(self, version: int, *things: Raw) -> None:
        self._page = Page(version=version, items=[dict(each) for each in things])

    async def list(self, resource: Resource, *, selector: str = "") -> AsyncIterator[Page]:
        """Of any kind."""
        yield self._page


async def test_list_below_a_version_that_was_seen_is_of_a_restored_cluster() -> None:
    cache = WatchCache()
    cache.note_version(MODELS, 40)
    with pytest.raises(ClusterRestored, match="at version 39, below 40"):
        await refresh(Listed(39), cache, MODELS)


async def test_object_that_is_older_than_it_was_shows_it_though_versions_went_on() -> None:
    cache = WatchCache()
    cache.put(MODELS, thing("a", 30))
    with pytest.raises(ClusterRestored, match="version 30 was seen"):
        await refresh(Listed(1_000, thing("a", 20)), cache, MODELS)


async def test_object_that_is_back_after_its_deletion_shows_it() -> None:
    cache = WatchCache()
    cache.put(MODELS, thing("a", 20))
    cache.deleted(MODELS, thing("a", 30))
    with pytest.raises(ClusterRestored, match="it was deleted at 30"):
        await refresh(Listed(1_000, thing("a", 20)), cache, MODELS)


async def test_kube_system_with_another_uid_is_another_cluster() -> None:
    cache = WatchCache()
    cache.put(NAMESPACES, thing("kube-system", 5, "ours"))
    with pytest.raises(ClusterRestored, match="another cluster"):
        await refresh(Listed(9, thing("kube-system", 6, "theirs")), cache, NAMESPACES)


async def test_what_becomes_known_while_a_list_is_under_way_shows_nothing() -> None:
    cache = WatchCache()

    class Late:
        async def list(self, resource: Resource, *, selector: str = "") -> AsyncIterator[Page]:
            """Before it is answered, watches tell of what came after it."""
            cache.put(MODELS, thing("written", 50))
            cache.deleted(MODELS, thing("deleted", 51))
            yield Page(version=40, items=[thing("written", 20), thing("deleted", 20)])

    await refresh(Late(), cache, MODELS)
    assert [raw["metadata"]["resourceVersion"] for raw in cache.all(MODELS)] == ["50"]


def test_cache_that_was_dropped_is_incomplete_until_it_is_listed_again() -> None:
    cache = WatchCache()
    cache.note_list(MODELS, 10)
    cache.drop()
    with pytest.raises(KubeUnavailable, match="models are being listed again"):
        require_complete(cache)
    cache.note_list(MODELS, 7)
    require_complete(cache)
