"""The webhooks, forward auth and the console miss nothing while their watches fail.

The same faults as in `test_api_watches.py`, which is about the operator.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from dev.servers.apiserver import ApiServer
from tests.faults.test_api_watches import FAILED, GONE, ending_at_once, ending_with
from tests.faults.watching_processes import WatchingProcesses, watching_processes
from tests.faults.way import MOST, RECOVERY_SECONDS
from tests.support.faults_table import Healing
from tests.support.interceptor import Asked, Before, Cut
from tests.support.waiting import assert_eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

LASTS = 2.0
AHEAD = {"code": 504, "message": "Too large resource version: 9, current: 7"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def processes(
    apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[WatchingProcesses]:
    """The three processes; starting them takes some seconds."""
    async with watching_processes(apiserver, tmp_path_factory.mktemp("watching")) as found:
        yield found


def cut(asked: Asked) -> None:
    if asked.watches:
        raise Cut


def ahead(asked: Asked) -> web.Response | None:
    return web.Response(status=504, text=json.dumps(AHEAD)) if asked.watches else None


@pytest.mark.fault(
    "R6", heals="a watch that ends is restarted with backoff; missed changes are found"
)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(cut, id="cut"),
        pytest.param(ending_at_once, id="ended-at-once"),
        pytest.param(ending_with(GONE), id="too-old"),
        pytest.param(ending_with(FAILED), id="failed", marks=pytest.mark.long),
        pytest.param(ahead, id="version-ahead", marks=pytest.mark.long),
    ],
)
async def test_deletion_during_a_broken_watch_is_noticed_by_every_process(
    processes: WatchingProcesses, healing: Healing, answer: Before
) -> None:
    await processes.set_revoked(True)
    await until_aware(processes, revoked=True)
    began = time.monotonic()
    with processes.before(answer):
        await processes.set_revoked(False)
        await asyncio.sleep(LASTS)
        assert processes.busiest(began) < MOST
    with healing():
        await until_aware(processes, revoked=False)


@pytest.mark.long
@pytest.mark.fault("R6", heals="a silent watch is closed after 70 s")
async def test_silent_watch_is_closed_by_every_process(
    processes: WatchingProcesses, healing: Healing
) -> None:
    await processes.set_revoked(True)
    await until_aware(processes, revoked=True)
    await asyncio.sleep(LASTS)  # Until a watch follows the list that they may have found it by.
    now = time.monotonic()
    with processes.lines(lambda asked, line: (line,) if asked.at > now else ()):
        await processes.set_revoked(False)
        with healing():
            await until_aware(processes, revoked=False)


async def until_aware(processes: WatchingProcesses, *, revoked: bool) -> None:
    """Wait until every process has this view."""

    async def aware() -> bool:
        return not await processes.unaware(revoked=revoked)

    await assert_eventually(aware, timeout=RECOVERY_SECONDS)
