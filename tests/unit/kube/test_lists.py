"""What a list brings into the watch cache, and what it tells of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from roadstead.api.raw import Raw
from roadstead.kube.kube_client import Page
from roadstead.kube.lists import refresh
from roadstead.kube.resources import MODELS, Resource
from roadstead.kube.watch_cache import WatchCache


def thing(name: str, version: int = 1, *, uid: str = "") -> dict[str, Any]:
    """A Model as the API server has it."""
    meta = {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": {**meta, "managedFields": [{"manager": "kubectl"}]}}


class Pages:
    """A list of version 9, an object on each page."""

    def __init__(self, *things: Raw) -> None:
        self._things = things

    async def list(self, resource: Resource, *, selector: str = "") -> AsyncIterator[Page]:
        """All of them, of any kind."""
        for each in self._things:
            yield Page(version=9, items=[dict(each)])


async def told(cache: WatchCache, *things: Raw) -> list[str]:
    """The names of what is told of, where these are there now."""
    found = await refresh(Pages(*things), cache, MODELS)
    return [raw["metadata"]["name"] for raw in found]


async def test_what_is_new_or_other_or_gone_is_told() -> None:
    cache = WatchCache()
    assert await told(cache, thing("kept"), thing("other"), thing("gone")) == [
        "kept",
        "other",
        "gone",
    ]
    assert await told(cache, thing("kept"), thing("other", 2), thing("new")) == [
        "other",
        "new",
        "gone",
    ]


async def test_an_object_whose_name_another_one_has_now_is_told() -> None:
    cache = WatchCache()
    await told(cache, thing("a", uid="first"))
    found = await refresh(Pages(thing("a", 2, uid="second")), cache, MODELS)
    assert [raw["metadata"]["uid"] for raw in found] == ["first", "second"]
    assert [cache.current(MODELS, raw) is not None for raw in found] == [False, True]


async def test_what_changed_is_told_as_the_cache_has_it() -> None:
    cache = WatchCache()
    (found,) = await refresh(Pages(thing("new")), cache, MODELS)
    assert found is cache.get(MODELS, "new")
