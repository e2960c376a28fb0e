"""Watches end at once, become silent, are too old, or report errors: nothing is missed."""

import asyncio
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from dev.servers.apiserver import ApiServer
from dev.servers.toxiproxy import Toxiproxy
from tests.faults.aftermath import aftermath
from tests.faults.way import RECOVERY_SECONDS, Way, create_served, run_with_fault, running_way
from tests.support import custom_objects
from tests.support.faults_table import Healing
from tests.support.interceptor import Asked, Before
from tests.support.ledger import Ledger
from tests.support.operator.ledger_comparison import wait_until_equal
from tests.support.operator.namespace import Operated, list_all
from tests.support.waiting import assert_eventually

GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
FAILED = {"type": "ERROR", "object": {"kind": "Status", "code": 500, "reason": "InternalError"}}


def ending_at_once(asked: Asked) -> web.Response | None:
    return web.Response() if asked.watches else None


def ending_with(event: object) -> Before:
    """Each watch ends with this event."""
    line = f"{json.dumps(event, separators=(',', ':'))}\n"
    return lambda asked: web.Response(text=line) if asked.watches else None


@pytest.mark.fault(
    "R6", heals="a watch that ends is restarted with backoff; missed changes are found"
)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ending_at_once, id="ended-at-once"),
        pytest.param(ending_with(GONE), id="too-old"),
        pytest.param(ending_with(FAILED), id="failed", marks=pytest.mark.long),
        pytest.param(
            lambda asked: web.Response(status=410) if asked.watches else None,
            id="410",
            marks=pytest.mark.long,
        ),
    ],
)
async def test_watch_that_ends_at_once_is_restarted_with_backoff(
    way: Way, healing: Healing, answer: Before
) -> None:
    await run_with_fault(way, lambda way: way.before(answer), healing)


@pytest.mark.fault("R6", heals="after a relist, deleted objects are known to be deleted")
async def test_deletion_of_the_last_object_during_an_expired_watch_is_noticed(
    way: Way, healing: Healing
) -> None:
    async with way.operator():
        serve = await create_served(way)
        (model,) = await list_all(way.operated.api, "models")
        with way.before(ending_with(GONE)), way.lines(lambda _asked, _line: ()):
            await custom_objects.delete(way.operated.api, serve)
            await asyncio.sleep(2)
        with healing():
            await assert_eventually(lambda: unused(way, model), timeout=RECOVERY_SECONDS)
        await way.aftermath()


async def unused(way: Way, model: dict[str, object]) -> bool:
    found = await custom_objects.get(way.operated.api, model)
    return bool(found["status"].get("servers", 0) == 0)


@pytest.mark.fault(
    "R6", heals="after a relist, an object that was created again is known to be another one"
)
async def test_recreation_of_an_object_during_an_expired_watch_is_noticed(
    operated: Operated,
    apiserver: ApiServer,
    proxies: Toxiproxy,
    ledger: Ledger,
    tmp_path: Path,
    healing: Healing,
) -> None:
    written = {"ROADSTEAD_LEDGER_DSN_FILE": str(ledger.dsn_file("writer"))}
    async with (
        running_way(operated, apiserver, proxies, tmp_path, **written) as way,
        way.operator(),
    ):
        serve = await operated.serve(name="again", modelName="nobody")
        await wait_until_equal(operated, ledger)
        await assert_eventually(way.is_idle, timeout=RECOVERY_SECONDS)
        with way.before(ending_with(GONE)), way.lines(lambda _asked, _line: ()):
            await custom_objects.delete(operated.api, serve)
            await operated.serve(name="again", modelName="nobody")
            await asyncio.sleep(2)
        with healing():
            await wait_until_equal(operated, ledger)
        await aftermath(dataclasses.replace(way.scene, ledger=ledger))


@pytest.mark.fault("R6", heals="the next resync finds what the watch didn't report")
async def test_resync_finds_what_a_watch_of_bookmarks_missed(
    operated: Operated, apiserver: ApiServer, proxies: Toxiproxy, tmp_path: Path, healing: Healing
) -> None:
    often = {"ROADSTEAD_RESYNC_SECONDS": "10"}
    async with running_way(operated, apiserver, proxies, tmp_path, **often) as way, way.operator():
        first = await create_served(way)
        with way.lines(bookmarks), healing():
            second = await way.request_changes(first)
            await way.wait_until_applied(first, second)
        await way.aftermath()


def bookmarks(_: Asked, line: bytes) -> Iterator[bytes]:
    if b'"BOOKMARK"' in line:
        yield line


@pytest.mark.long
@pytest.mark.fault("R6", heals="a silent watch is closed after 70 s")
async def test_silent_watch_is_closed(way: Way, healing: Healing) -> None:
    async with way.operator():
        first = await create_served(way)
        now = time.monotonic()
        with way.lines(lambda asked, line: (line,) if asked.at > now else ()), healing():
            second = await way.request_changes(first)
            await way.wait_until_applied(first, second)
        await way.aftermath()
