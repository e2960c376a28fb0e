"""Updates of the watch cache from a list, and the changes that it returns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from roadstead.api.raw import Raw
from roadstead.kube.kube_client import Page
from roadstead.kube.lists import refresh
from roadstead.kube.resources import MODELS, Resource
from roadstead.kube.watch_cache import WatchCache


def thing(name: str, version: int = 1, *, uid: str = "") -> dict[str, Any]:
    """A Model as stored by the API server."""
    meta = {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": {**meta, "managedFields": [{"manager": "kubectl"}]}}


class Pages:
    """A list at version 9 with one object per page."""

    def __init__(self, *things: Raw) -> None:
        self._things = things

    async def list(self, resource: Resource, *, selector: str = "") -> AsyncIterator[Page]:
        """All objects, of any kind."""
        for each in self._things:
            yield Page(version=9, items=[dict(each)])


async def refreshed(cache: WatchCache, *things: Raw) -> list[str]:
    """The names of the returned objects if the list has these."""
    found = await refresh(Pages(*things), cache, MODELS)
    return [raw["metadata"]["name"] for raw in found]


async def test_created_changed_and_deleted_objects_are_returned() -> None:
    cache = WatchCache()
    assert await refreshed(cache, thing("kept"), thing("other"), thing("gone")) == [
        "kept",
        "other",
        "gone",
    ]
    assert await refreshed(cache, thing("kept"), thing("other", 2), thing("new")) == [
        "other",
        "new",
        "gone",
    ]


async def test_a_replaced_object_is_returned() -> None:
    cache = WatchCache()
    await refreshed(cache, thing("a", uid="first"))
    found = await refresh(Pages(thing("a", 2, uid="second")), cache, MODELS)
    assert [raw["metadata"]["uid"] for raw in found] == ["first", "second"]
    assert [cache.current(MODELS, raw) is not None for raw in found] == [False, True]


async def test_changed_objects_are_returned_as_the_cache_keeps_them() -> None:
    cache = WatchCache()
    (found,) = await refresh(Pages(thing("new")), cache, MODELS)
    assert found is cache.get(MODELS, "new")
