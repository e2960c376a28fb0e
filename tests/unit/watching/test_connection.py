"""kopf's connection: its lists are empty, and it passes on nothing that would stop kopf."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urljoin

import aiohttp
import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from roadstead.kube.kube_client import Page
from roadstead.kube.resources import PODS, Resource
from roadstead.kube.watch_cache import WatchCache
from roadstead.watching.connection import EMPTY_LIST_PARAMS, SessionFactory
from roadstead.watching.watched_kinds import WatchedKinds

KNOWN = {"metadata": {"name": "known", "uid": "u", "resourceVersion": "5"}}
ADDED = json.dumps({"type": "ADDED", "object": KNOWN}).encode()
DELETED = json.dumps({"type": "DELETED", "object": KNOWN}).encode()


class Cluster:
    """A client whose lists are at version 7."""

    async def list(self, resource: Resource, **_: Any) -> AsyncIterator[Page]:
        """As KubeClient."""
        yield Page(version=7, items=[])

    async def version(self, resource: Resource, **_: Any) -> int:
        """As KubeClient."""
        return 7


@contextlib.asynccontextmanager
async def connected(
    answer: web.Response, asked: list[dict[str, str]] | None = None, cache: WatchCache | None = None
) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """kopf's session to a server with this response, and the address of its pods.

    The queries of what it is asked for go into `asked`.
    """

    async def handle(request: web.Request) -> web.Response:
        if asked is not None:
            asked.append(dict(request.query))
        # A response is sent once.
        return web.Response(
            status=answer.status, body=answer.body, content_type=answer.content_type
        )

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    watched = WatchedKinds(Cluster(), cache or WatchCache(), changed=lambda *_: None)
    connection = SessionFactory(kinds={"pods": PODS}, watched=watched)
    async with TestServer(app) as server:
        url = str(server.make_url("/api/v1/pods"))
        found = connection.session(kopf.ConnectionInfo(server=url))
        async with found.aiohttp_session as session:
            yield session, url


async def lines_of(body: bytes, cache: WatchCache) -> list[bytes]:
    """The lines of a watch with this content."""
    async with (
        connected(web.Response(body=body), cache=cache) as (session, url),
        session.get(url, params={"watch": "true"}) as found,
    ):
        return [line async for line in found.content.iter_chunked(2**20)]


async def test_new_events_are_passed_on() -> None:
    body = ADDED + b"\n" + DELETED + b"\n"
    assert await lines_of(body, WatchCache()) == [ADDED + b"\n", DELETED + b"\n"]


async def test_known_events_are_dropped() -> None:
    cache = WatchCache()
    cache.put(PODS, KNOWN)
    assert await lines_of(ADDED + b"\n" + DELETED + b"\n", cache) == [DELETED + b"\n"]


async def test_an_incomplete_line_is_dropped() -> None:
    assert await lines_of(ADDED + b"\n" + ADDED[:30], WatchCache()) == [ADDED + b"\n"]


@pytest.mark.parametrize("status", [400, 403, 404, 410, 429, 503])
@pytest.mark.parametrize("query", [{}, {"watch": "true"}])
async def test_a_refusal_counts_as_interruption(status: int, query: dict[str, str]) -> None:
    async with connected(web.Response(status=status)) as (session, url):
        with pytest.raises(aiohttp.ClientPayloadError):
            await session.get(url, params=query)


async def test_a_list_that_is_not_json_counts_as_interruption() -> None:
    async with connected(web.Response(text="<html>")) as (session, url):
        with pytest.raises(aiohttp.ClientPayloadError):
            await session.get(url)


@pytest.mark.parametrize("query", [{}, {"watch": "true"}])
async def test_401_is_passed_to_kopf(query: dict[str, str]) -> None:
    async with connected(web.Response(status=401)) as (session, url):
        assert (await session.get(url, params=query)).status == 401


async def asked(path: str, **query: str) -> dict[str, str]:
    """The query that the API server receives for a request of kopf."""
    seen: list[dict[str, str]] = []
    async with (
        connected(web.json_response({"items": []}), seen) as (session, pods),
        session.get(urljoin(pods, path), params=query),
    ):
        return seen[0]


async def test_lists_are_requested_without_objects() -> None:
    query = await asked("/api/v1/pods", limit="500", labelSelector="a=b")
    assert query == {"limit": "500", "labelSelector": "a=b", **EMPTY_LIST_PARAMS}


async def test_watches_continue_from_our_list() -> None:
    query = await asked("/api/v1/pods", watch="true", labelSelector="a=b", resourceVersion="3")
    assert 240 <= int(query.pop("timeoutSeconds")) <= 300
    assert query == {"watch": "true", "labelSelector": "a=b", "resourceVersion": "7"}


async def test_other_requests_are_unchanged() -> None:
    assert await asked("/apis") == {}
