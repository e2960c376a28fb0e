"""The tables of a console's ledger in a Postgres, and rows in them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence

import asyncpg

from dev.servers.postgres import Postgres
from roadstead.ledger.records import Record, row
from roadstead.ledger.schema import Roles, migrate
from roadstead.ledger.tables import TABLES

ROLES = Roles(writer="roadstead_writer", reader="roadstead_reader")


async def migrate_tables(server: Postgres) -> None:
    """Create the tables."""
    async with connected(server.dsn("owner")) as connection:
        await migrate(connection, ROLES)


async def write(server: Postgres, records: Sequence[Record]) -> None:
    """Write rows into the ledger, as its writer does."""
    by_type: dict[type, list[Record]] = {}
    for each in records:
        by_type.setdefault(type(each), []).append(each)
    async with connected(server.dsn("writer")) as connection:
        for kind, rows in by_type.items():
            for statement in TABLES[kind].statements:
                await connection.execute(statement, json.dumps([row(each) for each in rows]))


@contextlib.asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()
