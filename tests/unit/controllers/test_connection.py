"""What kopf hears of its watches and lists: nothing that it would end at."""

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

from roadstead.controllers.connection import EMPTY_LIST_PARAMS, TOO_OLD_EVENT, SessionFactory
from roadstead.controllers.own_writes import is_own_write
from roadstead.controllers.watch_health import WatchHealth
from roadstead.kube.resources import PODS
from roadstead.kube.watch_cache import WatchCache

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
    """kopf's session to a server that answers like that, and the address of its pods.

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
    """The lines of a watch that is answered like that."""
    async with (
        connected(answer, []) as (session, url),
        session.get(url, params={"watch": "true"}) as found,
    ):
        return [line async for line in found.content.iter_chunked(2**20)]


async def test_what_a_watch_tells_is_told() -> None:
    body = ADDED + b"\n" + ADDED + b"\n"
    assert await watched(web.Response(body=body)) == [ADDED + b"\n"] * 2


async def test_what_is_known_is_not_told_but_counts_as_heard() -> None:
    clock = itertools.count()
    health = WatchHealth(lambda: next(clock))
    connection = SessionFactory(kinds=["pods"], health=health, known=lambda _, line: line == ADDED)
    answer = web.Response(body=ADDED + b"\n" + DELETED + b"\n")
    async with (
        connected(answer, [], connection=connection) as (session, url),
        session.get(url, params={"watch": "true"}) as found,
    ):
        assert [line async for line in found.content.iter_chunked(2**20)] == [DELETED + b"\n"]
    assert next(clock) == 2  # Once where the watch began, once for the lines.


@pytest.mark.parametrize("line", [b"502", b"null", b"<html>"])
async def test_what_is_no_event_is_not_looked_at_as_one(line: bytes) -> None:
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
        assert [told async for told in found.content.iter_chunked(2**20)] == [TOO_OLD_EVENT + b"\n"]


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"ERROR","object":{"code":500}}',
        b'{"type":"ERROR","object":{"code":410}}',
        b"<html>",
    ],
)
async def test_every_error_in_a_watch_is_one_after_which_kopf_lists_anew(line: bytes) -> None:
    body = ADDED + b"\n" + line + b"\n"
    assert await watched(web.Response(body=body)) == [ADDED + b"\n", TOO_OLD_EVENT + b"\n"]


async def test_half_a_line_is_not_told() -> None:
    assert await watched(web.Response(body=ADDED + b"\n" + ADDED[:30])) == [ADDED + b"\n"]


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_watch_that_is_refused_is_too_old(status: int) -> None:
    assert await watched(web.Response(status=status)) == [TOO_OLD_EVENT + b"\n"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(web.Response(status=410), id="410"),
        pytest.param(web.Response(status=404), id="404"),
        pytest.param(web.Response(text="<html>"), id="html"),
    ],
)
async def test_a_list_that_kopf_would_end_at_counts_as_cut_off(answer: web.Response) -> None:
    listed: list[str] = []
    async with connected(answer, listed) as (session, url):
        with pytest.raises(aiohttp.ClientPayloadError):
            await session.get(url)
    assert listed == []


async def test_a_list_is_told_of_though_it_is_empty() -> None:
    listed: list[str] = []
    async with connected(web.json_response({"items": []}), listed) as (session, url):
        assert json.loads(await (await session.get(url)).read()) == {"items": []}
        (await session.get(url, params={"watch": "true"})).close()
    assert listed == ["pods"]


@pytest.mark.parametrize("status", [401, 403, 429, 503])
async def test_what_kopf_asks_again_after_is_left_to_it(status: int) -> None:
    async with connected(web.Response(status=status), []) as (session, url):
        assert (await session.get(url)).status == status


async def asked(path: str, **query: str) -> dict[str, str]:
    """What the API server is asked for where kopf asks for this."""
    seen: list[dict[str, str]] = []
    async with (
        connected(web.json_response({"items": []}), [], seen) as (session, pods),
        session.get(urljoin(pods, path), params=query),
    ):
        return seen[0]


async def test_a_list_is_asked_for_without_its_objects() -> None:
    query = await asked("/api/v1/pods", limit="500", labelSelector="a=b")
    assert query == {"limit": "500", "labelSelector": "a=b", **EMPTY_LIST_PARAMS}


async def test_a_watch_is_asked_for_with_all_of_them() -> None:
    query = {"watch": "true", "resourceVersion": "7"}
    assert await asked("/api/v1/pods", **query) == query


async def test_what_is_not_watched_is_asked_for_as_it_is() -> None:
    assert await asked("/apis") == {}
