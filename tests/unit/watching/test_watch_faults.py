"""Every fault of a watch, for both transports: kopf's (operator) and our client's (the others)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import kopf
import pytest
from aiohttp import web

from roadstead.errors import ClusterRestored
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import NAMESPACES
from roadstead.kube.watch import Watcher
from roadstead.kube.watch_cache import WatchCache
from roadstead.watching.watched_kinds import WatchedKinds
from roadstead.watching.watches import registry, settings
from tests.support.waiting import assert_eventually
from tests.unit.watching.scripted_api import Raw, ScriptedApi, Step, Watch, scripted_api

GONE = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}
FAILED = {"type": "ERROR", "object": {"code": 500, "message": "failed"}}
AHEAD = {"code": 504, "message": "Too large resource version: 40, current: 10"}

Running = contextlib.AbstractAsyncContextManager["asyncio.Task[None]"]
Transport = Callable[[KubeClient, Path, WatchCache, float], Running]


@contextlib.asynccontextmanager
async def by_client(
    client: KubeClient, _: Path, cache: WatchCache, silence: float
) -> AsyncIterator[asyncio.Task[None]]:
    """Watch as the webhooks, forward auth and the console do."""
    task = asyncio.create_task(Watcher(client, cache, NAMESPACES, silence=silence).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


@contextlib.asynccontextmanager
async def by_kopf(
    client: KubeClient, kubeconfig: Path, cache: WatchCache, silence: float
) -> AsyncIterator[asyncio.Task[None]]:
    """Watch as the operator does, which exits when the yielded task ends."""
    kinds = WatchedKinds(client, cache, changed=lambda *_: None, silence=silence)
    handlers = registry(kinds, [NAMESPACES], kubeconfig=str(kubeconfig))
    watching = asyncio.create_task(
        kopf.operator(registry=handlers, settings=settings(), clusterwide=True, standalone=True)
    )
    restored = asyncio.create_task(kinds.until_restored())
    try:
        yield restored
        assert not watching.done(), "kopf exited"
    finally:
        for task in (watching, restored):
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture(params=[by_client, by_kopf])
def transport(request: pytest.FixtureRequest) -> Transport:
    """Each transport."""
    found: Transport = request.param
    return found


@dataclasses.dataclass(frozen=True)
class Watched:
    """The server, and the cache that follows it."""

    api: ScriptedApi
    cache: WatchCache
    task: asyncio.Task[None]

    async def has(self, *names: str) -> None:
        """Wait until the cache has exactly these objects."""
        await assert_eventually(
            lambda: {name for _, name in self.cache.names(NAMESPACES)} == {*names}, timeout=60
        )


@contextlib.asynccontextmanager
async def watched(
    transport: Transport, folder: Path, *script: Step, silence: float = 70
) -> AsyncIterator[Watched]:
    """A watch of a server with the Namespace "old", whose first watches follow the script."""
    cache = WatchCache()
    async with scripted_api(folder) as (api, kubeconfig):
        await api.put("old")
        api.script += script
        client = await KubeClient.connect(str(kubeconfig))
        try:
            async with transport(client, kubeconfig, cache, silence) as task:
                yield Watched(api, cache, task)
        finally:
            await client.close()


async def change(api: ScriptedApi) -> None:
    await api.put("new")
    await api.delete("old")


async def change_unseen(watch: Watch) -> None:
    """Changes that only a list shows."""
    await change(watch.api)
    watch.api.forget_events()


def bookmark(version: int) -> Raw:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}


def abort(watch: Watch) -> None:
    """Reset the connection."""
    assert watch.request.transport is not None
    watch.request.transport.abort()


def ending_with(*lines: bytes | Raw) -> Step:
    """Changes that only a list shows, and then these lines."""

    async def step(watch: Watch) -> web.StreamResponse:
        await change_unseen(watch)
        return await watch.stream(*lines)

    return step


def refused(status: int, body: object = None) -> Step:
    """Changes that only a list shows; the watch is refused."""

    async def step(watch: Watch) -> web.StreamResponse:
        await change_unseen(watch)
        return web.json_response(body or {"message": "refused"}, status=status)

    return step


async def cut_without_event(watch: Watch) -> web.StreamResponse:
    await change_unseen(watch)
    response = await watch.stream()
    abort(watch)
    return response


async def silent(watch: Watch) -> web.StreamResponse:
    await change_unseen(watch)
    response = await watch.stream()
    await asyncio.Event().wait()
    return response


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(ending_with(GONE), id="event-410"),
        pytest.param(ending_with(FAILED), id="event-500"),
        pytest.param(ending_with(b"<html>"), id="html"),
        pytest.param(ending_with(b"null"), id="null"),
        *[pytest.param(refused(status), id=f"{status}") for status in (403, 404, 410, 429, 500)],
        pytest.param(refused(504, AHEAD), id="version-ahead"),
        pytest.param(cut_without_event, id="cut"),
    ],
)
async def test_what_a_failed_watch_missed_is_listed(
    transport: Transport, tmp_path: Path, fault: Step
) -> None:
    async with watched(transport, tmp_path, fault) as found:
        await found.has("new")


async def test_what_a_silent_watch_missed_is_listed(transport: Transport, tmp_path: Path) -> None:
    async with watched(transport, tmp_path, silent, silence=0.5) as found:
        await found.has("new")


async def break_lists(watch: Watch) -> web.StreamResponse:
    await change_unseen(watch)
    watch.api.broken_lists = 2
    return await watch.stream(GONE)


async def test_a_list_that_fails_is_retried(transport: Transport, tmp_path: Path) -> None:
    async with watched(transport, tmp_path, break_lists) as found:
        await found.has("new")


async def test_kopf_logs_in_again_after_401(tmp_path: Path) -> None:
    async with watched(by_kopf, tmp_path, refused(401)) as found:
        await found.has("new")


async def cut_after_bookmark(watch: Watch) -> web.StreamResponse:
    response = await watch.stream(bookmark(watch.api.version))
    await change(watch.api)
    abort(watch)
    return response


async def ended_within_an_event(watch: Watch) -> web.StreamResponse:
    response = await watch.stream(bookmark(watch.api.version))
    await change(watch.api)
    await response.write(b'{"type":"ADDED","obj')
    return response


async def ended(watch: Watch) -> web.StreamResponse:
    await change(watch.api)
    return web.Response()


@pytest.mark.parametrize("interruption", [cut_after_bookmark, ended_within_an_event, ended])
async def test_an_interrupted_watch_resumes_without_a_list(
    transport: Transport, tmp_path: Path, interruption: Step
) -> None:
    async with watched(transport, tmp_path, interruption) as found:
        await found.has("new")
        assert found.api.lists == 1


async def bookmarks(watch: Watch) -> web.StreamResponse:
    response = await watch.stream()
    for version in range(31, 51):
        await asyncio.sleep(0.05)
        await response.write(json.dumps(bookmark(version)).encode() + b"\n")
    watch.api.version = version
    return response


async def test_a_watch_of_bookmarks_is_not_silent(transport: Transport, tmp_path: Path) -> None:
    async with watched(transport, tmp_path, bookmarks, silence=0.8) as found:
        await assert_eventually(lambda: len(found.api.watched_from) > 1)
        assert found.api.watched_from[:2] == [11, 50]
        assert found.api.lists == 1


async def end(_: Watch) -> web.StreamResponse:
    return web.Response()


async def test_a_server_that_ends_watches_at_once_gets_few(
    transport: Transport, tmp_path: Path
) -> None:
    async with watched(transport, tmp_path, *[end] * 100) as found:
        await assert_eventually(lambda: found.api.watched_from)
        await asyncio.sleep(1.5)
        assert len(found.api.watched_from) < 10


async def restore(watch: Watch) -> web.StreamResponse:
    response = await watch.stream(bookmark(40))
    watch.api.restore(5, "other")
    return response


async def test_a_restore_drops_the_cache(tmp_path: Path) -> None:
    async with watched(by_client, tmp_path, restore) as found:
        await found.has("other")


async def test_a_restore_stops_the_operator(tmp_path: Path) -> None:
    async with watched(by_kopf, tmp_path, restore) as found:
        await asyncio.wait([found.task])
        assert isinstance(found.task.exception(), ClusterRestored)
