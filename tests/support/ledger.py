"""A ledger: a Postgres with the tables, and files with the DSNs of its roles."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from dev.servers.postgres import Postgres, Role
from roadstead.ledger.database import connected
from roadstead.ledger.outbox import Outbox
from roadstead.ledger.records import Record
from roadstead.ledger.retention import Retention
from roadstead.ledger.schema import Roles, migrate
from roadstead.ledger.tables import TABLES
from roadstead.ledger.writer import Begin, LedgerWriter
from tests.support.waiting import assert_eventually

ROLES = Roles(writer="roadstead_writer", reader="roadstead_reader")
KEEP = Retention(history=30, usage=30, admissions=30)


class Ledger:
    """A database, and the files with the DSNs of its roles."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        self.server = server
        self._folder = folder

    def dsn_file(self, role: Role) -> Path:
        """The file with a role's DSN, as in a mounted Secret."""
        file = self._folder / role
        file.write_text(self.server.dsn(role))
        return file

    def connected(self, role: Role) -> contextlib.AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection of a role."""
        return connected(self.dsn_file(role))

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of a query by the reader."""
        async with self.connected("reader") as connection:
            return [dict(row) for row in await connection.fetch(query, *values)]

    async def row(self, query: str, *values: Any) -> dict[str, Any]:
        """The only row of a query."""
        (found,) = await self.rows(query, *values)
        return found

    async def write(self, *records: Record) -> None:
        """Write records directly, as the writer's role."""
        async with self.connected("writer") as connection:
            for record in records:
                table = TABLES[type(record)]
                for statement in table.statements:
                    await connection.execute(statement, json.dumps([vars(record)]))

    @contextlib.asynccontextmanager
    async def writing(self, outbox: Outbox, begin: Begin | None = None) -> AsyncIterator[None]:
        """Run a writer while the block runs."""
        writer = LedgerWriter(
            outbox, self.dsn_file("writer"), keep=KEEP, begin=begin or _do_nothing
        )
        task = asyncio.create_task(writer.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _do_nothing(_: asyncpg.Connection) -> None:
    return None


async def wait_until_empty(outbox: Outbox, within: float = 120) -> None:
    """Wait until the outbox is empty."""
    await assert_eventually(lambda: len(outbox) == 0, timeout=within)


async def truncate_tables(connection: asyncpg.Connection) -> None:
    """Delete all rows."""
    tables: Sequence[str] = [*(table.name for table in TABLES.values()), "status_history"]
    await connection.execute(f"TRUNCATE {', '.join(tables)}, ledger_cluster, ledger_epochs")


async def create_ledger(server: Postgres, folder: Path) -> Ledger:
    """Create a ledger with empty tables; its retention floor is that of `writing`."""
    found = Ledger(server, folder)
    async with found.connected("owner") as connection:
        await migrate(connection, ROLES, floor=KEEP)
        await truncate_tables(connection)
    return found
