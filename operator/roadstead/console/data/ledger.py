"""Queries of the ledger over a small pool of connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncpg

from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.errors import LedgerUnavailable
from roadstead.ledger.database import close, connect, translate_errors

CONNECTIONS: Final = 4
"""The size of the pool: each connection is a process of Postgres."""
WAIT_SECONDS: Final = 5.0


class Ledger:
    """Reads rows; a failed connection is replaced at the next query.

    Every query may raise LedgerUnavailable or LedgerError.
    """

    def __init__(
        self,
        dsn_file: Path,
        authorities: Authorities = SYSTEM_AUTHORITIES,
        *,
        connections: int = CONNECTIONS,
    ) -> None:
        self._dsn_file = dsn_file
        self._authorities = authorities
        self._free: list[asyncpg.Connection] = []
        self._slots = asyncio.Semaphore(connections)

    async def close(self) -> None:
        """Close the idle connections."""
        while self._free:
            await close(self._free.pop())

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Return all rows."""
        async with self._connection() as connection:
            with translate_errors():
                return await connection.fetch(sql, *arguments)

    async def row(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        """Return the first row, or None."""
        async with self._connection() as connection:
            with translate_errors():
                return await connection.fetchrow(sql, *arguments)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        try:
            await asyncio.wait_for(self._slots.acquire(), WAIT_SECONDS)
        except TimeoutError:
            message = "all connections to Postgres are busy; retry"
            raise LedgerUnavailable(message, reason="Busy") from None
        try:
            connection = await self._acquire()
            try:
                yield connection
            except BaseException:
                # Its state is unknown.
                connection.terminate()
                raise
            self._free.append(connection)
        finally:
            self._slots.release()

    async def _acquire(self) -> asyncpg.Connection:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        return await connect(self._dsn_file, self._authorities)
