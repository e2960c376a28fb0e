"""Questions to the ledger over a few connections that are kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncpg

from roadstead.errors import LedgerUnavailable
from roadstead.ledger.database import close, connect, translate_errors

CONNECTIONS: Final = 4
"""Of one console: each costs Postgres a process."""
WAIT_SECONDS: Final = 5.0


class Ledger:
    """Reads rows; a connection that failed is replaced at the next question.

    Every question raises LedgerUnavailable or LedgerError.
    """

    def __init__(self, dsn_file: Path, *, connections: int = CONNECTIONS) -> None:
        self._dsn_file = dsn_file
        self._free: list[asyncpg.Connection] = []
        self._places = asyncio.Semaphore(connections)

    async def close(self) -> None:
        """Close what is kept."""
        while self._free:
            await close(self._free.pop())

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """All rows."""
        async with self._connection() as connection:
            with translate_errors():
                return await connection.fetch(sql, *arguments)

    async def row(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        """The first row, where there is one."""
        async with self._connection() as connection:
            with translate_errors():
                return await connection.fetchrow(sql, *arguments)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        try:
            await asyncio.wait_for(self._places.acquire(), WAIT_SECONDS)
        except TimeoutError:
            message = "Postgres is busy with what was asked before; try again"
            raise LedgerUnavailable(message, reason="Busy") from None
        try:
            connection = await self._taken()
            try:
                yield connection
            except BaseException:
                # What it is in the middle of is not known.
                connection.terminate()
                raise
            self._free.append(connection)
        finally:
            self._places.release()

    async def _taken(self) -> asyncpg.Connection:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        return await connect(self._dsn_file)
