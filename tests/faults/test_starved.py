"""The operator gets no CPU, no memory or no files for some time."""

import asyncio
import resource
import signal
from pathlib import Path

import pytest

from dev.servers.process import answers
from tests.faults.way import RECOVERY_SECONDS, Way, create_served
from tests.support.faults_table import Healing
from tests.support.operator.operator_process import operator_process
from tests.support.waiting import assert_eventually

STALL = 12.0
FEW = 16
"""Fewer than it has open: it can't open any file."""
FILES = 256
MANY = 200
SOME = 20


async def healthy(way: Way) -> bool:
    url = f"http://127.0.0.1:{way.environ['ROADSTEAD_HTTP_PORT']}/healthz"
    return await asyncio.to_thread(answers, url)


@pytest.mark.fault("R23", heals="/healthz doesn't answer meanwhile; then everything continues")
async def test_suspended_operator_continues(way: Way, healing: Healing) -> None:
    async with way.operator() as process:
        first = await create_served(way)
        process.send_signal(signal.SIGSTOP)
        second = await way.request_changes(first)
        assert not await healthy(way)
        await asyncio.sleep(STALL)
        process.send_signal(signal.SIGCONT)
        with healing():
            await way.wait_until_applied(first, second)
        await assert_eventually(lambda: healthy(way), timeout=RECOVERY_SECONDS)
        await way.aftermath()


@pytest.mark.fault("R23", heals="operations that need a file wait until one is available")
async def test_operator_without_free_files_continues_once_it_has_some(
    way: Way, healing: Healing
) -> None:
    async with way.operator() as process:
        first = await create_served(way)
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (FEW, hard))
        way.between.close_watches()
        second = await way.request_changes(first)
        await asyncio.sleep(STALL)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        with healing():
            await way.wait_until_applied(first, second)
        await way.aftermath()


@pytest.mark.timeout(600)
@pytest.mark.fault("R23", heals="connections are bounded, so 256 files are enough for 200 servers")
async def test_256_files_are_enough_for_200_servers(way: Way, healing: Healing) -> None:
    async with way.operator() as process:
        first = await create_served(way)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        name = first["spec"]["modelName"]
        with healing():
            await asyncio.gather(
                *(way.operated.serve(modelName=name, replicas=1) for _ in range(MANY))
            )
            await assert_eventually(lambda: _deployed(way), timeout=RECOVERY_SECONDS * 2)
        await way.aftermath()


async def _deployed(way: Way) -> bool:
    return len(await way.operated.children("deployments")) == MANY + 1


@pytest.mark.fault("R23", heals="the process is killed; the next one repairs the state")
async def test_next_operator_recovers_after_one_runs_out_of_memory(
    way: Way, healing: Healing, tmp_path: Path
) -> None:
    async with operator_process(way.environ, tmp_path / "starved.log") as process:
        first = await create_served(way)
        resource.prlimit(process.pid, resource.RLIMIT_AS, (used(process.pid),) * 2)
        second = await way.request_changes(first)
        more = [await way.request_changes(first) for _ in range(SOME)]
        await asyncio.sleep(STALL)
        process.kill()
    async with way.operator():
        with healing():
            for each in (second, *more):
                await way.wait_until_applied(first, each)
        await way.aftermath()


def used(process: int) -> int:
    """Size of the address space in bytes."""
    pages = Path(f"/proc/{process}/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()
