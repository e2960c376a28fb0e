"""The ledger's Postgres refuses, is silent or read-only: nothing else is affected."""

import asyncio
import contextlib
import dataclasses
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from dev.servers.apiserver import ApiServer
from dev.servers.postgres import Postgres
from dev.servers.toxiproxy import Link, Toxiproxy
from tests.faults.aftermath import Scene, aftermath
from tests.faults.stores import make_scene
from tests.support import custom_objects
from tests.support.builders.objects import Raw, fresh_name
from tests.support.faults_table import Healing
from tests.support.ledger import Ledger
from tests.support.operator.ledger_comparison import differences, row
from tests.support.operator.namespace import Operated
from tests.support.operator.operator_process import operator_process
from tests.support.waiting import assert_eventually

Outage = Callable[[Ledger, Link], contextlib.AbstractAsyncContextManager[None]]


@pytest.fixture
def link(database: Postgres, proxies: Toxiproxy) -> Iterator[Link]:
    """The operator's connection to Postgres."""
    with proxies.link(fresh_name("postgres"), f"127.0.0.1:{database.port}") as found:
        yield found


@pytest.fixture
async def scene(operated: Operated, apiserver: ApiServer, tmp_path: Path) -> Scene:
    """The operator of this test."""
    return await make_scene(operated, apiserver, tmp_path)


@contextlib.asynccontextmanager
async def refuses(_: Ledger, link: Link) -> AsyncIterator[None]:
    """Connections are refused."""
    with link.disconnected():
        yield


@contextlib.asynccontextmanager
async def is_silent(_: Ledger, link: Link) -> AsyncIterator[None]:
    """A black hole, for open and for new connections."""
    with link.toxic("timeout", timeout=0):
        yield


@contextlib.asynccontextmanager
async def read_only(ledger: Ledger, _: Link) -> AsyncIterator[None]:
    """Read-only, as after a failover to a replica."""
    await _as_superuser(ledger, "ALTER DATABASE roadstead SET default_transaction_read_only = on")
    try:
        yield
    finally:
        await _as_superuser(ledger, "ALTER DATABASE roadstead RESET default_transaction_read_only")


async def _as_superuser(ledger: Ledger, statement: str) -> None:
    """Execute a statement, and make all clients reconnect."""
    connection = await asyncpg.connect(ledger.server.superuser_dsn)
    try:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(statement)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE usename = 'roadstead_writer'"
        )
    finally:
        await connection.close()


@pytest.mark.fault(
    "R12", heals="servers are started, changed and deleted meanwhile; then every row is written"
)
@pytest.mark.parametrize(
    "outage",
    [
        pytest.param(refuses, id="refuses"),
        pytest.param(is_silent, id="silent", marks=pytest.mark.long),
        pytest.param(read_only, id="read-only"),
    ],
)
async def test_unavailable_ledger_blocks_nothing(
    scene: Scene, ledger: Ledger, link: Link, tmp_path: Path, healing: Healing, outage: Outage
) -> None:
    operated = scene.operated
    environ = _environ(operated, ledger, link, tmp_path)
    port = int(environ["ROADSTEAD_HTTP_PORT"])
    async with operator_process(environ, scene.log):
        changed, gone = [await operated.serve(modelName="nobody") for _ in range(2)]
        await operated.wait_for_reason(gone, "Ready", "ModelUnknown")
        await _wait_until_equal(operated, ledger)
        async with outage(ledger, link):
            await _scaled(operated, changed, 3)
            await custom_objects.delete(operated.api, gone)
            await operated.wait_for_deployment(
                await operated.serve(modelName=operated.site.publish())
            )
            await assert_eventually(lambda: _failures(port), timeout=150)
            assert await differences(operated, ledger) != []
            await _scaled(operated, changed, 4)
        with healing():
            await _wait_until_equal(operated, ledger)
        await aftermath(dataclasses.replace(scene, ledger=ledger))
    assert (await row(ledger, changed))["desired_replicas"] == 4
    assert (await row(ledger, gone))["status"] == "Deleted"


def _environ(operated: Operated, ledger: Ledger, link: Link, folder: Path) -> dict[str, str]:
    dsn = ledger.server.dsn("writer").replace(f":{ledger.server.port}/", f":{link.port}/")
    file = folder / "dsn-of-the-link"
    file.write_text(dsn)
    return operated.site.environ(operated.kubeconfig, ROADSTEAD_LEDGER_DSN_FILE=str(file))


async def _scaled(operated: Operated, serve: Raw, replicas: int) -> None:
    changes: dict[str, Any] = {"spec": {"replicas": replicas}}
    await custom_objects.patch(operated.api, serve, changes)


async def _wait_until_equal(operated: Operated, ledger: Ledger) -> None:
    """Wait until the ledger equals the cluster."""

    async def equal() -> bool:
        assert await differences(operated, ledger) == []
        return True

    await assert_eventually(equal, timeout=150, interval=0.5)


async def _failures(port: int) -> bool:
    """Whether the operator has failed to write."""

    def ask() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as page:
            return str(page.read().decode())

    return "\nroadstead_ledger_failures_total{" in await asyncio.to_thread(ask)
