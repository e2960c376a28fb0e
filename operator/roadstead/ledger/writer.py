"""Writes the outbox to Postgres, in batches over one connection, with retries."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import asyncpg

from roadstead import metrics
from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.errors import LeaseLost, LedgerError, LedgerUnavailable, RowRefused
from roadstead.exponential_backoff import Backoff
from roadstead.fence import Fence
from roadstead.ledger.database import close, connect, connected, transaction, translate_errors
from roadstead.ledger.outbox import Batch, Outbox
from roadstead.ledger.records import Record, row
from roadstead.ledger.retention import Retention
from roadstead.ledger.schema import migrations, version
from roadstead.ledger.tables import TABLES

logger = logging.getLogger(__name__)

BATCH_SIZE: Final = 500
GATHER_SECONDS: Final = 0.2
"""How long the first change waits for others, so that a burst is one batch."""
LEDGER_BACKOFF: Final = Backoff(first=1.0, longest=30.0)
UPKEEP_SECONDS: Final = 6 * 3600.0
FLUSH_SECONDS: Final = 3.0
"""How long the writer tries to write the rest of the outbox when it is cancelled."""

Begin = Callable[[asyncpg.Connection], Awaitable[None]]
"""Called on each new connection and at each upkeep, before writes."""


async def _nothing(_: asyncpg.Connection) -> None:
    return None


class LedgerWriter:
    """Writes an outbox to Postgres until cancelled; retries all errors but LeaseLost.

    With `keep`, this writer creates and drops the partitions. `upkeep` is the interval of that and
    of `begin`, in seconds. Nothing is written once the `fence` is closed. Rows of objects get the
    `epoch` after `begin`.
    """

    def __init__(
        self,
        outbox: Outbox,
        dsn_file: Path,
        *,
        authorities: Authorities = SYSTEM_AUTHORITIES,
        keep: Retention | None = None,
        begin: Begin = _nothing,
        upkeep: float = UPKEEP_SECONDS,
        fence: Fence | None = None,
        epoch: Callable[[], int] = lambda: 0,
    ) -> None:
        self._outbox = outbox
        self._dsn_file = dsn_file
        self._authorities = authorities
        self._keep = keep
        self._begin = begin
        self._upkeep = upkeep
        self._fence = fence or Fence.open()
        self._epoch = epoch
        self._kept_at = float("-inf")
        # Not a pool: what `begin` found out holds for this connection, whose loss starts it again.
        self._connection: asyncpg.Connection | None = None
        self._failures = 0
        self._last_message = ""

    async def run(self) -> None:
        """Write until cancelled, then write the rest for at most FLUSH_SECONDS."""
        try:
            while True:
                await self._attempt()
                await self._pause()
        finally:
            await self._flush()

    async def _pause(self) -> None:
        """Wait for a record or the next upkeep; after a failure, for an increasing time."""
        if self._failures:
            await asyncio.sleep(LEDGER_BACKOFF.jittered(self._failures))
            return
        left = self._kept_at + self._upkeep - time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await self._outbox.changed.wait()
        await asyncio.sleep(GATHER_SECONDS)

    async def _attempt(self) -> None:
        try:
            connection = await self._ensure_connection()
            while batch := self._outbox.take(BATCH_SIZE):
                await self._write(connection, batch)
            self._reset_failures()
        except LeaseLost:
            raise
        except LedgerError as error:
            await self._record_failure(error.reason, str(error))
        except Exception as error:
            logger.exception("writing the ledger failed")
            await self._record_failure(type(error).__name__, "see the traceback above")
        self._update_metrics()

    async def _ensure_connection(self) -> asyncpg.Connection:
        """Return a connection to a database of the required schema, after due upkeep."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._dsn_file, self._authorities)
            self._connection.add_termination_listener(self._on_connection_lost)
            await _require_schema(self._connection)
            self._kept_at = float("-inf")
        if time.monotonic() - self._kept_at >= self._upkeep:
            await self._maintain(self._connection)
            self._kept_at = time.monotonic()
        return self._connection

    def _on_connection_lost(self, _: object) -> None:
        """Reconnect even if the outbox is empty: the database may have lost rows."""
        self._outbox.changed.set()

    async def _maintain(self, connection: asyncpg.Connection) -> None:
        self._fence.check()
        if self._keep is not None:
            days = dataclasses.astuple(self._keep)
            with translate_errors():
                await connection.execute("SELECT keep_partitions($1, $2, $3)", *days)
        await self._begin(connection)

    async def _write(self, connection: asyncpg.Connection, batch: Batch) -> None:
        """Write a batch in one transaction; put it back if that fails.

        A row that Postgres refuses is found, logged and dropped, so that it does not delay others.
        """
        started = time.monotonic()
        try:
            self._fence.check()
            await _store(connection, batch, self._epoch())
        except RowRefused as error:
            await self._write_halves(connection, batch, error)
            return
        except BaseException:
            self._outbox.put_back(batch)
            raise
        self._record_success(batch, started)

    async def _write_halves(
        self, connection: asyncpg.Connection, batch: Batch, error: RowRefused
    ) -> None:
        """Write all rows of the batch except the refused ones."""
        if middle := len(batch) // 2:
            try:
                await self._write(connection, batch[:middle])
            except BaseException:
                self._outbox.put_back(batch[middle:])
                raise
            await self._write(connection, batch[middle:])
            return
        table = TABLES[type(batch[0].record)].name
        metrics.LEDGER_DROPPED.labels(table).inc()
        logger.error("dropping a row of %s: %s", table, error)

    def _record_success(self, batch: Batch, started: float) -> None:
        metrics.LEDGER_BATCH_SECONDS.observe(time.monotonic() - started)
        metrics.LEDGER_LAST_WRITE.set_to_current_time()
        for kind, rows in by_kind(batch).items():
            metrics.LEDGER_WRITTEN.labels(TABLES[kind].name).inc(len(rows))

    async def _record_failure(self, reason: str, message: str) -> None:
        self._failures += 1
        metrics.LEDGER_FAILURES.labels(reason).inc()
        if message != self._last_message:
            logger.warning("the ledger is not written, retrying: %s", message)
            self._last_message = message
        connection, self._connection = self._connection, None
        if connection is not None:
            await close(connection)

    def _reset_failures(self) -> None:
        if self._failures:
            logger.info("the ledger is written again")
        self._failures, self._last_message = 0, ""

    def _update_metrics(self) -> None:
        counts = self._outbox.counts()
        for kind, table in TABLES.items():
            metrics.LEDGER_WAITING.labels(table.name).set(counts.get(kind, 0))
        metrics.LEDGER_OLDEST.set(self._outbox.oldest())

    async def _flush(self) -> None:
        """Write the rest of the outbox, if a connection was ready.

        This uses a new connection: the current one may be in a transaction.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.terminate()
        if not len(self._outbox) or self._kept_at == float("-inf"):
            return
        with contextlib.suppress(LedgerError, LeaseLost, TimeoutError):
            async with (
                asyncio.timeout(FLUSH_SECONDS),
                connected(self._dsn_file, self._authorities) as fresh,
            ):
                await _require_schema(fresh)
                while batch := self._outbox.take(BATCH_SIZE):
                    await self._write(fresh, batch)


async def _require_schema(connection: asyncpg.Connection) -> None:
    """Accept a newer schema, since migrations only add; raise for an older one."""
    needed, found = len(migrations()), await version(connection)
    if found < needed:
        message = (
            f"the database has schema {found}, expected {needed}: run `roadstead ledger migrate`"
        )
        raise LedgerUnavailable(message, reason="SchemaOlder")


async def _store(connection: asyncpg.Connection, batch: Batch, epoch: int) -> None:
    with translate_errors():
        async with transaction(connection):
            for kind, records in by_kind(batch).items():
                rows = json.dumps([{**row(record), "epoch": epoch} for record in records])
                for statement in TABLES[kind].statements:
                    await connection.execute(statement, rows)


def by_kind(batch: Batch) -> Mapping[type[Record], Sequence[Record]]:
    """Return the records of each table, in the order of writing."""
    found: dict[type[Record], list[Record]] = {}
    for kind in TABLES:
        if records := [each.record for each in batch if type(each.record) is kind]:
            found[kind] = records
    return found
