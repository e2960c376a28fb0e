"""Events that the cache has already are recognized; the others change it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from roadstead.api.raw import Raw
from roadstead.kube.kind_sync import KindSync
from roadstead.kube.kube_client import Page
from roadstead.kube.resources import MODELS, Resource
from roadstead.kube.watch_cache import WatchCache


class Nothing:
    """A client without objects."""

    async def list(self, resource: Resource, **_: Any) -> AsyncIterator[Page]:
        """As KubeClient."""
        yield Page(version=5, items=[])

    async def version(self, resource: Resource, **_: Any) -> int:
        """As KubeClient."""
        return 5


def model(version: int, *, uid: str = "u") -> dict[str, Any]:
    return {"metadata": {"name": "gemma", "uid": uid, "resourceVersion": str(version)}}


def event(kind: str, raw: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": raw}


@pytest.fixture
def cache() -> WatchCache:
    """A cache with an object at version 5."""
    found = WatchCache()
    found.put(MODELS, model(5))
    return found


@pytest.fixture
def sync(cache: WatchCache) -> KindSync:
    return KindSync(Nothing(), cache, MODELS)


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED"])
@pytest.mark.parametrize("version", [4, 5])
def test_a_known_version_is_not_new(sync: KindSync, kind: str, version: int) -> None:
    assert not sync.received(event(kind, model(version)))


def test_a_newer_version_is_new(sync: KindSync) -> None:
    assert sync.received(event("MODIFIED", model(6)))


def test_another_object_of_the_name_is_new(sync: KindSync) -> None:
    assert sync.received(event("ADDED", model(6, uid="other")))


def test_an_event_of_a_deleted_object_is_not_new(sync: KindSync, cache: WatchCache) -> None:
    cache.deleted(MODELS, model(8))
    assert not sync.received(event("MODIFIED", model(7)))


def test_a_deletion_is_new(sync: KindSync) -> None:
    assert sync.received(event("DELETED", model(5)))


def test_a_bookmark_is_only_a_version(sync: KindSync, cache: WatchCache) -> None:
    assert not sync.received(event("BOOKMARK", {"metadata": {"resourceVersion": "9"}}))
    assert (sync.state.version, cache.seen(MODELS)) == (9, 9)


def test_changes_are_reported(cache: WatchCache) -> None:
    changed: list[Raw] = []
    sync = KindSync(Nothing(), cache, MODELS, changed=changed.append)
    sync.apply(event("MODIFIED", model(6)))
    sync.apply(event("DELETED", model(7)))
    assert [raw["metadata"]["resourceVersion"] for raw in changed] == ["6", "7"]
    assert cache.names(MODELS) == []
