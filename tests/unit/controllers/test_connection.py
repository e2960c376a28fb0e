"""kopf's connection: it passes on nothing that would stop kopf."""

import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import aiohttp
import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from roadstead.kube.resources import PODS
from roadstead.kube.watch_cache import WatchCache
from roadstead.watching.connection import EMPTY_LIST_PARAMS, TOO_OLD_EVENT, SessionFactory
from roadstead.watching.watch_health import WatchHealth
from roadstead.watching.watches import is_own_write

ADDED = b'{"type":"ADDED","object":{"conditions":[{"type":"ERROR"}]}}'
DELETED = b'{"type":"DELETED","object":{}}'


@contextlib.asynccontextmanager
async def connected(
    answer: web.Response,
    listed: list[str],
    asked: list[dict[str, str]] | None = None,
    *,
    connection: SessionFactory | None = None,
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
    ours = connection or SessionFactory(kinds=["pods"], health=WatchHealth(listed=listed.append))
    async with TestServer(app) as server:
        url = str(server.make_url("/api/v1/pods"))
        found = ours.session(kopf.ConnectionInfo(server=url))
        async with found.aiohttp_session as session:
            yield session, url


async def watched(answer: web.Response) -> list[bytes]:
    """The lines of a watch with this response."""
    async with (
        connected(answer, []) as (session, url),
        session.get(url, params={"watch": "true"}) as found,
    ):
        return [line async for line in found.content.iter_chunked(2**20)]


async def test_watch_events_are_passed_on() -> None:
    body = ADDED + b"\n" + ADDED + b"\n"
    assert await watched(web.Response(body=body)) == [ADDED + b"\n"] * 2


async def test_known_events_are_dropped_but_count_as_received() -> None:
    clock = itertools.count()
    health = WatchHealth(lambda: next(clock))
    connection = SessionFactory(kinds=["pods"], health=health, known=lambda _, line: line == ADDED)
    answer = web.Response(body=ADDED + b"\n" + DELETED + b"\n")
    async with (
        connected(answer, [], connection=connection) as (session, url),
        session.get(url, params={"watch": "true"}) as found,
    ):
        assert [line async for line in found.content.iter_chunked(2**20)] == [DELETED + b"\n"]
    assert next(clock) == 2  # Once when the watch starts, once for the lines.


@pytest.mark.parametrize("line", [b"502", b"null", b"<html>"])
async def test_invalid_lines_are_not_parsed_as_events(line: bytes) -> None:
    cache = WatchCache()
    connection = SessionFactory(
        kinds=["pods"],
        health=WatchHealth(),
        known=lambda _, event: is_own_write(cache, PODS, event),
    )
    async with (
        connected(web.Response(body=line + b"\n"), [], connection=connection) as (session, url),
        session.get(url, params={"watch": "true"}) as found,
    ):
        assert [line async for line in found.content.iter_chunked(2**20)] == [TOO_OLD_EVENT + b"\n"]


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"ERROR","object":{"code":500}}',
        b'{"type":"ERROR","object":{"code":410}}',
        b"<html>",
    ],
)
async def test_every_error_event_makes_kopf_list_again(line: bytes) -> None:
    body = ADDED + b"\n" + line + b"\n"
    assert await watched(web.Response(body=body)) == [ADDED + b"\n", TOO_OLD_EVENT + b"\n"]


async def test_an_incomplete_line_is_dropped() -> None:
    assert await watched(web.Response(body=ADDED + b"\n" + ADDED[:30])) == [ADDED + b"\n"]


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_refused_watch_is_reported_as_too_old(status: int) -> None:
    assert await watched(web.Response(status=status)) == [TOO_OLD_EVENT + b"\n"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(web.Response(status=410), id="410"),
        pytest.param(web.Response(status=404), id="404"),
        pytest.param(web.Response(text="<html>"), id="html"),
    ],
)
async def test_a_list_that_would_stop_kopf_counts_as_interrupted(answer: web.Response) -> None:
    listed: list[str] = []
    async with connected(answer, listed) as (session, url):
        with pytest.raises(aiohttp.ClientPayloadError):
            await session.get(url)
    assert listed == []


async def test_an_empty_list_is_reported() -> None:
    listed: list[str] = []
    async with connected(web.json_response({"items": []}), listed) as (session, url):
        assert json.loads(await (await session.get(url)).read()) == {"items": []}
        (await session.get(url, params={"watch": "true"})).close()
    assert listed == ["pods"]


@pytest.mark.parametrize("status", [401, 403, 429, 503])
async def test_retryable_statuses_are_passed_to_kopf(status: int) -> None:
    async with connected(web.Response(status=status), []) as (session, url):
        assert (await session.get(url)).status == status


async def asked(path: str, **query: str) -> dict[str, str]:
    """The query that the API server receives for a request of kopf."""
    seen: list[dict[str, str]] = []
    async with (
        connected(web.json_response({"items": []}), [], seen) as (session, pods),
        session.get(urljoin(pods, path), params=query),
    ):
        return seen[0]


async def test_lists_are_requested_without_objects() -> None:
    query = await asked("/api/v1/pods", limit="500", labelSelector="a=b")
    assert query == {"limit": "500", "labelSelector": "a=b", **EMPTY_LIST_PARAMS}


async def test_watches_are_requested_unchanged() -> None:
    query = {"watch": "true", "resourceVersion": "7"}
    assert await asked("/api/v1/pods", **query) == query


async def test_other_requests_are_unchanged() -> None:
    assert await asked("/apis") == {}
