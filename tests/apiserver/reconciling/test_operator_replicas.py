"""Two replicas and one Lease: at most one writes, with any fault."""

import asyncio
import datetime
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dev.servers.apiserver import ApiServer
from dev.servers.process import answers
from tests.support import custom_objects
from tests.support.builders.objects import Raw
from tests.support.faults_table import Healing
from tests.support.operator.namespace import Operated
from tests.support.operator.replicas import (
    RENEW,
    SECONDS,
    Replica,
    Replicas,
    moment,
    running_replicas,
)
from tests.support.waiting import assert_eventually

BUSY = 20


@pytest.fixture
async def replicas(
    operated: Operated, apiserver: ApiServer, tmp_path: Path
) -> AsyncIterator[Replicas]:
    async with running_replicas(operated, apiserver, tmp_path) as found:
        yield found


async def both(replicas: Replicas) -> tuple[Replica, Replica]:
    """A leader and a standby."""
    first = await replicas.start("a")
    await replicas.leads(first)
    return first, await replicas.start("b")


async def served(operated: Operated) -> Raw:
    """A ModelServe that the leader has reconciled."""
    serve = await operated.serve(modelName="nobody-knows-it")
    await operated.wait_for_reason(serve, "Ready", "ModelUnknown")
    return serve


def one_after_the_other(first: Replica, second: Replica) -> None:
    """Check that each replica wrote, the second one after all writes of the first."""
    earlier, later = first.writes(), second.writes()
    assert earlier
    assert later
    assert max(each.at for each in earlier) < min(each.at for each in later)


@pytest.mark.fault("R3", heals="another operator leads once the Lease has expired")
async def test_a_killed_leader_is_replaced_when_its_lease_expires(
    operated: Operated, replicas: Replicas, healing: Healing
) -> None:
    # Half a minute: two operators start, and a Lease expires.
    first, second = await both(replicas)
    await served(operated)
    with healing():
        first.signal(signal.SIGKILL)
        await first.code()
        last = moment((await replicas.lease())["renewTime"])
        await replicas.leads(second)
    await served(operated)
    taken = moment((await replicas.lease())["acquireTime"])
    assert (taken - last).total_seconds() >= SECONDS
    one_after_the_other(first, second)


@pytest.mark.fault("R3", heals="another operator leads at once")
async def test_a_terminated_leader_releases_its_lease(
    operated: Operated, replicas: Replicas, healing: Healing
) -> None:
    first, second = await both(replicas)
    await served(operated)
    with healing():
        first.signal(signal.SIGTERM)
        assert await first.code() == 0
        await replicas.leads(second)
    await served(operated)
    assert "released the Lease" in first.log.read_text()
    one_after_the_other(first, second)


async def test_a_standby_is_ready_and_exposes_no_metrics_of_the_leader(
    operated: Operated, replicas: Replicas
) -> None:
    first, second = await both(replicas)
    await served(operated)
    assert answers(f"http://127.0.0.1:{second.port}/readyz")
    assert answers(f"http://127.0.0.1:{second.port}/healthz")
    assert "roadstead_leader 1.0" in first.metrics()
    assert "roadstead_server_ready{" in first.metrics()
    page = second.metrics()
    assert "roadstead_leader 0.0" in page
    assert {line.split("{")[0].split(" ")[0] for line in page.splitlines()} & {
        "roadstead_server_ready",
        "roadstead_models",
        "roadstead_reconciles_total",
        "roadstead_ledger_last_write_timestamp_seconds",
    } == set()
    assert second.writes() == []


@pytest.mark.fault("R4", heals="another operator leads; the old one exits before it writes")
async def test_a_paused_leader_exits_before_it_writes(
    operated: Operated, replicas: Replicas, healing: Healing
) -> None:
    # Half a minute, as above.
    first, second = await both(replicas)
    await served(operated)
    serves = [await operated.serve(modelName="nobody-knows-it") for _ in range(BUSY)]
    with healing():
        first.signal(signal.SIGSTOP)
        await replicas.leads(second)
    for serve in serves:
        await operated.wait_for_reason(serve, "Ready", "ModelUnknown")
        await custom_objects.patch(operated.api, serve, {"spec": {"replicas": 0}})
    await served(operated)
    first.signal(signal.SIGCONT)
    assert await first.code() == 1
    assert "was not renewed in time" in first.log.read_text()
    one_after_the_other(first, second)


@pytest.mark.fault("R20", heals="the leader creates it again")
async def test_a_deleted_lease_is_created_again_by_its_leader(
    operated: Operated, replicas: Replicas
) -> None:
    # Half a minute, as above.
    first, second = await both(replicas)
    await replicas.delete()
    await replicas.leads(first)
    await served(operated)
    await asyncio.sleep(SECONDS + 2 * RENEW)
    await replicas.leads(first)
    assert second.writes() == []


@pytest.mark.fault("R20", heals="the leader exits; another operator waits, then leads")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"holderIdentity": "somebody"}, id="given-away"),
        pytest.param({"holderIdentity": ""}, id="emptied"),
        pytest.param({"holderIdentity": "b_forged"}, id="forged"),
    ],
)
async def test_a_leader_exits_if_its_lease_is_edited(
    operated: Operated, replicas: Replicas, changes: dict[str, object], healing: Healing
) -> None:
    # Half a minute: two operators start, and one waits for a whole Lease.
    first, second = await both(replicas)
    await served(operated)
    edited = datetime.datetime.now(datetime.UTC)
    with healing():
        await replicas.edit(**changes)
        assert await first.code() == 1
        await assert_eventually(lambda: "this operator leads now" in second.log.read_text())
    await served(operated)
    one_after_the_other(first, second)
    waited = min(each.at for each in second.writes()) - edited
    assert waited.total_seconds() >= SECONDS


@pytest.mark.fault("R5", heals="the leader exits by its own clock")
async def test_a_disconnected_leader_exits_by_its_own_clock(
    operated: Operated, replicas: Replicas
) -> None:
    first, second = await both(replicas)
    await served(operated)
    second.signal(signal.SIGKILL)
    replicas.server.process.send_signal(signal.SIGSTOP)
    try:
        assert await first.code() == 1
    finally:
        replicas.server.process.send_signal(signal.SIGCONT)
