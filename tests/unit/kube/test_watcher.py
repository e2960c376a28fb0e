"""A watch, and everything that interrupts it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from roadstead.errors import KubeError, KubeGone, KubeUnavailable
from roadstead.kube.kube_client import Object, Page
from roadstead.kube.resources import MODELS, Resource
from roadstead.kube.watch import Watcher
from roadstead.kube.watch_cache import WatchCache
from tests.support.builders.reviews import thing

Step = Object | KubeError


def model(name: str, version: int) -> Object:
    return thing("Model", name=name, uid=f"uid-{name}", resourceVersion=str(version))


def event(kind: str, name: str, version: int) -> Object:
    return {"type": kind, "object": model(name, version)}


def bookmark(version: int) -> Object:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}


class Server:
    """An API server that follows one script per watch and is silent afterwards."""

    def __init__(self, lists: list[list[Object]], watches: list[list[Step]]) -> None:
        self.lists = lists
        self.watches = watches
        self.versions: list[int] = []
        self.current = 10
        self.finished = asyncio.Event()

    async def list(self, resource: Resource, **_: Any) -> AsyncIterator[Page]:
        """As KubeClient."""
        yield Page(version=self.current, items=self.lists.pop(0))

    async def version(self, resource: Resource, **_: Any) -> int:
        """As KubeClient."""
        return self.current

    async def watch(self, resource: Resource, *, version: int, **_: Any) -> AsyncIterator[Object]:
        """As KubeClient."""
        self.versions.append(version)
        if not self.watches:
            self.finished.set()
            await asyncio.Event().wait()
        for step in self.watches.pop(0):
            if isinstance(step, KubeError):
                raise step
            seen = int(step["object"]["metadata"]["resourceVersion"])
            self.current = max(self.current, seen)
            yield step


async def watched(server: Server, pauses: list[float] | None = None, **options: Any) -> WatchCache:
    """Return the cache after all scripts; pauses are recorded and skipped."""
    cache = WatchCache()

    async def sleep(seconds: float) -> None:
        if pauses is not None:
            pauses.append(seconds)

    task = asyncio.create_task(Watcher(server, cache, MODELS, sleep=sleep, **options).run())
    await asyncio.wait_for(server.finished.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return cache


async def test_events_follow_the_list() -> None:
    events: list[Step] = [event("ADDED", "b", 11), event("DELETED", "a", 12)]
    cache = await watched(Server([[model("a", 5)]], [events]))
    assert cache.names(MODELS) == [("", "b")]


async def test_watch_resumes_where_it_was_cut_off() -> None:
    cut: list[Step] = [event("ADDED", "b", 11), bookmark(40), KubeUnavailable("cut off")]
    server = Server([[model("a", 5)]], [cut])
    await watched(server)
    assert server.versions == [10, 40]


async def test_kind_is_listed_again_after_its_version_expired() -> None:
    gone: list[Step] = [bookmark(40), KubeGone("too old", status=410)]
    server = Server([[model("a", 5), model("b", 6)], [model("b", 6)]], [gone])
    cache = await watched(server)
    assert server.versions == [10, 40]
    assert cache.names(MODELS) == [("", "b")]


async def test_pauses_grow_between_watches_that_close_immediately() -> None:
    pauses: list[float] = []
    await watched(Server([[]], [[] for _ in range(12)]), pauses)
    first, *grown = pauses
    assert first == 0.0
    assert len(grown) == 12
    assert all(0.05 * 2**number <= pause for number, pause in enumerate(grown[:7], start=1))
    assert all(7.5 <= pause <= 15 for pause in grown[8:])


async def test_silence_is_infinite_before_the_first_list() -> None:
    assert Watcher(Server([], []), WatchCache(), MODELS).silence() == float("inf")


class Silent(Server):
    """An API server that is silent for `seconds` after each event, by the test's clock."""

    def __init__(
        self, seconds: float, lists: list[list[Object]], watches: list[list[Step]]
    ) -> None:
        super().__init__(lists, watches)
        self.seconds = seconds
        self.now = 0.0

    async def watch(
        self, resource: Resource, *, version: int, **more: Any
    ) -> AsyncIterator[Object]:
        """As KubeClient."""
        async for each in super().watch(resource, version=version, **more):
            yield each
            self.now += self.seconds


@pytest.mark.parametrize(("seconds", "names"), [(29, ["a"]), (30, ["b"])])
async def test_kind_is_listed_again_after_long_silence(seconds: float, names: list[str]) -> None:
    lists = [[model("a", 5)], [model("b", 6)]]
    server = Silent(seconds, lists, [[bookmark(11), KubeUnavailable("no answer")]])
    cache = await watched(server, silence=30, clock=lambda: server.now)
    assert [name for _, name in cache.names(MODELS)] == names


async def test_kind_is_listed_again_after_a_silent_attempt() -> None:
    server = Server([[model("a", 5)], [model("b", 6)]], [[KubeUnavailable("no answer")]])
    assert (await watched(server)).names(MODELS) == [("", "b")]


class Restored(Server):
    """An API server that is restored to version 7 when the first watch is cut off."""

    async def version(self, resource: Resource, **_: Any) -> int:
        """As KubeClient."""
        self.current = 7
        return self.current


async def test_restored_state_replaces_the_cached_one() -> None:
    cut: list[Step] = [event("MODIFIED", "a", 11), event("ADDED", "b", 12), KubeUnavailable("cut")]
    server = Restored([[model("a", 5)], [model("a", 5)]], [cut])
    cache = await watched(server)
    assert server.versions == [10, 7]
    assert [raw["metadata"]["resourceVersion"] for raw in cache.all(MODELS)] == ["5"]


async def test_every_watcher_lists_again_after_the_cache_was_dropped() -> None:
    server, cache = Server([[model("a", 5)], [model("a", 4)]], []), WatchCache()
    watcher = Watcher(server, cache, MODELS)
    task = asyncio.create_task(watcher.run())
    await asyncio.wait_for(server.finished.wait(), 60)
    server.finished.clear()
    cache.drop()
    assert watcher.silence() == float("inf")
    await asyncio.wait_for(server.finished.wait(), 60)
    assert [raw["metadata"]["resourceVersion"] for raw in cache.all(MODELS)] == ["4"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
