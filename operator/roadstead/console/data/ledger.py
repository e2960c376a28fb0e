"""Queries of the ledger over a small pool of connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncpg

from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.errors import LedgerError, LedgerUnavailable
from roadstead.ledger.database import CONNECT_SECONDS, connect, translate_errors

CONNECTIONS: Final = 4
"""The size of the pool: each connection is a process of Postgres."""
WAIT_SECONDS: Final = CONNECT_SECONDS + 1
"""For a free connection; longer than connecting takes, whose error says more."""
RELEASE_SECONDS: Final = 2.0
"""Within this time Postgres cancels a query that was given up, or its connection is closed."""


class Ledger:
    """Reads rows; a failed connection is replaced at the next query.

    Every query may raise LedgerUnavailable or LedgerError.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, dsn_file: Path, authorities: Authorities = SYSTEM_AUTHORITIES
    ) -> AsyncIterator[Ledger]:
        """Read the database of the DSN in a file; connects at the first query."""

        async def connect_again(*_: object, **__: object) -> asyncpg.Connection:
            return await connect(dsn_file, authorities)

        pool = await asyncpg.create_pool(
            connect=connect_again, reset=_keep_settings, min_size=0, max_size=CONNECTIONS
        )
        try:
            yield cls(pool)
        finally:
            with contextlib.suppress(LedgerError), translate_errors():
                # On errors, a timeout included, it terminates the connections.
                await asyncio.wait_for(pool.close(), RELEASE_SECONDS)

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Return all rows."""
        async with self._connection() as connection:
            return await connection.fetch(sql, *arguments)

    async def row(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        """Return the first row, or None."""
        async with self._connection() as connection:
            return await connection.fetchrow(sql, *arguments)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        with translate_errors():
            try:
                connection = await self._pool.acquire(timeout=WAIT_SECONDS)
            except TimeoutError:
                message = "all connections to Postgres are busy; retry"
                raise LedgerUnavailable(message, reason="Busy") from None
            try:
                yield connection
            finally:
                await self._pool.release(connection, timeout=RELEASE_SECONDS)


async def _keep_settings(_: object) -> None:
    """Spare the statements that reset a session: the queries change no settings."""
