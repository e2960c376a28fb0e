"""Events are missed, duplicated or out of order, and lists are stale: the state recovers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from dev.servers.apiserver import ApiServer
from dev.servers.toxiproxy import Toxiproxy
from tests.faults.way import Way, create_served, running_way
from tests.support import custom_objects
from tests.support.builders.objects import GROUP, VERSION, Raw
from tests.support.faults_table import Healing
from tests.support.interceptor import Asked, Before, Lines
from tests.support.operator.namespace import Operated
from tests.support.raw_objects import get_raw, send_raw

LASTS = 10.0
LISTS = [f"/apis/{GROUP}/{VERSION}/{plural}" for plural in ("models", "modelserves")]


@pytest.fixture
async def way(
    operated: Operated, apiserver: ApiServer, proxies: Toxiproxy, tmp_path: Path
) -> AsyncIterator[Way]:
    often = {"ROADSTEAD_RESYNC_SECONDS": "10"}
    async with running_way(operated, apiserver, proxies, tmp_path, **often) as found:
        yield found


class Swapped:
    """Swaps each pair of lines of a watch."""

    def __init__(self) -> None:
        self._kept: dict[float, bytes] = {}

    def __call__(self, asked: Asked, line: bytes) -> Iterator[bytes]:
        kept = self._kept.pop(asked.at, None)
        if kept is None:
            self._kept[asked.at] = line
        else:
            yield from (line, kept)


def doubled(_: Asked, line: bytes) -> Iterator[bytes]:
    yield from (line, line)


class Missed:
    """Drops every second line of a watch."""

    def __init__(self) -> None:
        self._number: dict[float, int] = {}

    def __call__(self, asked: Asked, line: bytes) -> Iterator[bytes]:
        number = self._number[asked.at] = self._number.get(asked.at, 0) + 1
        if number % 2:
            yield line


@pytest.mark.fault("R7", heals="older events change nothing; the next resync finds what was missed")
@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(doubled, id="doubled"),
        pytest.param(Swapped(), id="swapped", marks=pytest.mark.long),
        pytest.param(Missed(), id="missed"),
    ],
)
async def test_doubled_swapped_or_missing_events_are_tolerated(
    way: Way, healing: Healing, lines: Lines
) -> None:
    async with way.operator():
        with way.lines(lines):
            way.between.close_watches()
            first = await create_served(way)
            second, third = [await way.request_changes(first) for _ in range(2)]
            await custom_objects.patch(way.operated.api, first, {"spec": {"replicas": 2}}, "scale")
            with healing():
                await way.wait_for_replicas(first, replicas=2)
                await way.wait_for_replicas(second, replicas=1)
                await way.wait_for_replicas(third, replicas=1)
        # Other missed events would only be found by the next resync.
        way.between.close_watches()
        await way.aftermath()


@pytest.mark.fault("R7", heals="writes are guarded by versions, and the watch reports the rest")
async def test_operator_that_starts_with_a_stale_list_reaches_the_requested_state(
    way: Way, healing: Healing
) -> None:
    async with way.operator():
        gone, stays = await create_served(way), await create_served(way)
        older = {path: await get_raw(way.operated.api, path) for path in LISTS}
    await removed(way.operated, gone)
    new = await way.request_changes(stays)
    async with contextlib.AsyncExitStack() as stack:
        with way.lines(lambda _asked, _line: ()), way.before(answering_from(older)):
            await stack.enter_async_context(way.operator())
            await asyncio.sleep(LASTS)
        way.between.close_watches()
        with healing():
            await way.wait_until_applied(stays, new)
        await way.aftermath()
        left = [each["metadata"] for each in await way.operated.children("deployments")]
    living = {each["metadata"]["uid"] for each in (stays, new)}
    strays = [each for each in left if each["ownerReferences"][0]["uid"] not in living]
    assert {each["ownerReferences"][0]["uid"] for each in strays} <= {gone["metadata"]["uid"]}


def answering_from(older: dict[str, Raw]) -> Before:
    """Lists are answered with the older content."""

    def answer(asked: Asked) -> web.Response | None:
        found = older.get(asked.path.partition("?")[0])
        return None if found is None or asked.watches else web.json_response(found)

    return answer


async def removed(operated: Operated, serve: Raw) -> None:
    """Delete a ModelServe and, as the garbage collector does, its Deployment."""
    await custom_objects.delete(operated.api, serve)
    path = f"{operated.path('deployments')}/{serve['metadata']['name']}"
    await send_raw(operated.api, "DELETE", path)
