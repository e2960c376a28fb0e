"""The proxies that the other tests of this folder use."""

from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from dev.servers import objectstore, toxiproxy
from tests.support.certificates import issue
from tests.support.interceptor import Asked, Cut, running_interceptor


async def get(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url, ssl=False) as answer:
        await answer.read()
        return answer.status


async def test_disconnected_link_forwards_nothing_until_it_is_restored(tmp_path: Path) -> None:
    with objectstore.running(tmp_path) as store, toxiproxy.running(tmp_path) as proxies:
        upstream = store.endpoint.removeprefix("http://")
        with proxies.link("store", upstream) as link:
            url = f"http://{link.address}/minio/health/ready"
            assert await get(url) == 200
            with link.disconnected(), pytest.raises(aiohttp.ClientError):
                await get(url)
            with link.toxic("limit_data", bytes=10), pytest.raises(aiohttp.ClientError):
                await get(url)
            assert await get(url) == 200


async def test_interceptor_counts_answers_and_closes_connections(tmp_path: Path) -> None:
    with objectstore.running(tmp_path) as store:
        shown = issue(tmp_path)
        async with running_interceptor(store.endpoint, shown=shown) as (between, address):
            url = f"{address}/minio/health/ready"
            assert await get(url) == 200
            between.before = lambda _: web.Response(status=503)
            assert await get(url) == 503
            between.before = _cut
            with pytest.raises(aiohttp.ClientError):
                await get(url)
    assert [each.path for each in between.asked][:2] == ["/minio/health/ready"] * 2


def _cut(_: Asked) -> web.Response | None:
    raise Cut
