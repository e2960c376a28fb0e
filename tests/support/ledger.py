"""A real ledger: a Postgres, migrated, and the files with its roles' DSNs."""

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
    """A database, and the files with the roles' DSNs."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        self.server = server
        self._folder = folder

    def dsn_file(self, role: Role) -> Path:
        """As a mounted Secret."""
        file = self._folder / role
        file.write_text(self.server.dsn(role))
        return file

    def connected(self, role: Role) -> contextlib.AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection of a role."""
        return connected(self.dsn_file(role))

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """What the reader sees."""
        async with self.connected("reader") as connection:
            return [dict(row) for row in await connection.fetch(query, *values)]

    async def row(self, query: str, *values: Any) -> dict[str, Any]:
        """The only row."""
        (found,) = await self.rows(query, *values)
        return found

    async def write(self, *records: Record) -> None:
        """Write at once, as the writer's role."""
        async with self.connected("writer") as connection:
            for record in records:
                table = TABLES[type(record)]
                for statement in table.statements:
                    await connection.execute(statement, json.dumps([vars(record)]))

    @contextlib.asynccontextmanager
    async def writing(self, outbox: Outbox, begin: Begin | None = None) -> AsyncIterator[None]:
        """A writer for as long as the block lasts."""
        writer = LedgerWriter(
            outbox, self.dsn_file("writer"), keep=KEEP, begin=begin or _nothing_first
        )
        task = asyncio.create_task(writer.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _nothing_first(_: asyncpg.Connection) -> None:
    return None


async def emptied(outbox: Outbox, within: float = 120) -> None:
    """Wait until nothing waits."""
    await assert_eventually(lambda: len(outbox) == 0, timeout=within)


async def emptied_tables(connection: asyncpg.Connection) -> None:
    """Take all rows away."""
    tables: Sequence[str] = [*(table.name for table in TABLES.values()), "status_history"]
    await connection.execute(f"TRUNCATE {', '.join(tables)}, ledger_cluster, ledger_epochs")


async def migrated(server: Postgres, folder: Path) -> Ledger:
    """A ledger without a row, whose floor is what `writing` keeps."""
    found = Ledger(server, folder)
    async with found.connected("owner") as connection:
        await migrate(connection, ROLES, floor=KEEP)
        await emptied_tables(connection)
    return found
