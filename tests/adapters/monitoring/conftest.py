"""A ledger with rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from dev.servers import postgres
from roadstead.ledger.schema import Roles, migrate

ROWS = Path(__file__).parent / "rows.sql"


@pytest.fixture(scope="session")
def reader_dsn() -> Iterator[str]:
    """The DSN of the reader, as Grafana uses it."""
    with postgres.running() as server:
        asyncio.run(_fill(server))
        yield server.dsn("reader")


@pytest.fixture
async def ledger(reader_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the reader."""
    connection = await asyncpg.connect(reader_dsn)
    yield connection
    await connection.close()


async def _fill(server: postgres.Postgres) -> None:
    owner = await asyncpg.connect(server.dsn("owner"))
    await migrate(owner, Roles(writer="roadstead_writer", reader="roadstead_reader"))
    await owner.execute("SELECT keep_partitions(90, 70, 90)")
    await owner.execute(ROWS.read_text())
    await owner.close()
