"""Clocks jump on one of two replicas: at most one writes."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dev.servers.apiserver import ApiServer
from tests.faults.clock import Clock
from tests.support.faults_table import Healing
from tests.support.operator.namespace import Operated
from tests.support.operator.replicas import Replicas, running_replicas
from tests.support.waiting import assert_eventually

SECONDS = 20
"""Duration of a Lease: a loaded machine must not be mistaken for a jump."""
TIMES = {
    "ROADSTEAD_LEASE_SECONDS": str(SECONDS),
    "ROADSTEAD_LEASE_DEADLINE_SECONDS": str(SECONDS - 1),
}


@pytest.fixture
async def replicas(
    operated: Operated, apiserver: ApiServer, tmp_path: Path
) -> AsyncIterator[Replicas]:
    async with running_replicas(operated, apiserver, tmp_path) as found:
        yield found


async def create_reconciled(operated: Operated) -> None:
    """Create a ModelServe that a leader reconciles."""
    serve = await operated.serve(modelName="gemma", runtimeParams={"extraArgs": ["--model-url"]})
    await operated.wait_for_reason(serve, "WorkloadReady", "InvalidRuntimeParams")


@pytest.mark.fault("R20", heals="nothing happens: no replica uses the time of day")
@pytest.mark.parametrize("seconds", [300, -300])
@pytest.mark.parametrize("whose", ["leader", pytest.param("standby", marks=pytest.mark.long)])
async def test_clock_jump_does_not_change_the_leader(
    operated: Operated,
    replicas: Replicas,
    tmp_path: Path,
    healing: Healing,
    whose: str,
    seconds: int,
) -> None:
    clock = Clock.unchanged(tmp_path)
    replicas.environ = TIMES | (clock.environ if whose == "leader" else {})
    first = await replicas.start("a")
    await replicas.leads(first)
    replicas.environ = TIMES | (clock.environ if whose == "standby" else {})
    second = await replicas.start("b")
    clock.jump(seconds)
    await create_reconciled(operated)
    await asyncio.sleep(SECONDS + 2)
    await replicas.leads(first)
    assert second.writes() == []
    first.signal(signal.SIGKILL)
    with healing():
        await replicas.leads(second)
        await create_reconciled(operated)
    await assert_eventually(second.writes)
    assert max(each.at for each in first.writes()) < min(each.at for each in second.writes())
