"""Writing what waits: in batches, over one connection, for as long as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import asyncpg

from roadstead import metrics
from roadstead.errors import LeaseLost, LedgerError, LedgerUnavailable, RowRefused
from roadstead.fence import Fence
from roadstead.ledger.database import close, connect, connected, transaction, translate_errors
from roadstead.ledger.outbox import Batch, Outbox
from roadstead.ledger.records import Record, row
from roadstead.ledger.retention import Retention
from roadstead.ledger.schema import migrations, version
from roadstead.ledger.tables import TABLES

logger = logging.getLogger(__name__)

BATCH: Final = 500
GATHER_SECONDS: Final = 0.2
"""How long the first change waits for others: a burst of them is one batch."""
LONGEST_PAUSE: Final = 30.0
UPKEEP_SECONDS: Final = 6 * 3600.0
FLUSH_SECONDS: Final = 3.0
"""How long what waits at the end is tried to be written."""


Begin = Callable[[asyncpg.Connection], Awaitable[None]]
"""What is done on each new connection, and at each upkeep, before anything is written."""


async def _nothing(_: asyncpg.Connection) -> None:
    return None


class LedgerWriter:
    """Empties an outbox into Postgres until cancelled; no error ends it but LeaseLost.

    `keep` is for the one who has the partitions made and dropped, `upkeep` how often, in seconds,
    that and `begin` are done again. Nothing is written behind the `fence`. Objects' rows are of the
    `epoch` that is so once `begin` is done.
    """

    def __init__(
        self,
        outbox: Outbox,
        dsn_file: Path,
        *,
        keep: Retention | None = None,
        begin: Begin = _nothing,
        upkeep: float = UPKEEP_SECONDS,
        fence: Fence | None = None,
        epoch: Callable[[], int] = lambda: 0,
    ) -> None:
        self._outbox = outbox
        self._dsn_file = dsn_file
        self._keep = keep
        self._begin = begin
        self._upkeep = upkeep
        self._fence = fence or Fence.open()
        self._epoch = epoch
        self._kept_at = float("-inf")
        self._connection: asyncpg.Connection | None = None
        self._failures = 0
        self._said = ""

    async def run(self) -> None:
        """Write until cancelled; then once more, for a moment."""
        try:
            while True:
                await self._attempt()
                await self._pause()
        finally:
            await self._flush()

    async def _pause(self) -> None:
        """Until something waits, or the next upkeep; after a failure, a growing while."""
        if self._failures:
            longest = min(LONGEST_PAUSE, 0.5 * 2.0 ** min(self._failures, 8))
            await asyncio.sleep(longest * (0.5 + random.random() / 2))  # noqa: S311 - jitter only
            return
        left = self._kept_at + self._upkeep - time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await self._outbox.changed.wait()
        await asyncio.sleep(GATHER_SECONDS)

    async def _attempt(self) -> None:
        try:
            connection = await self._ready()
            while batch := self._outbox.take(BATCH):
                await self._write(connection, batch)
            self._recovered()
        except LeaseLost:
            raise
        except LedgerError as error:
            await self._failed(error.reason, str(error))
        except Exception as error:
            logger.exception("the ledger could not be written")
            await self._failed(type(error).__name__, "see the traceback above")
        self._measure()

    async def _ready(self) -> asyncpg.Connection:
        """A connection to a database of our version, looked after lately."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._dsn_file)
            self._connection.add_termination_listener(self._ended)
            await _require_schema(self._connection)
            self._kept_at = float("-inf")
        if time.monotonic() - self._kept_at >= self._upkeep:
            await self._look_after(self._connection)
            self._kept_at = time.monotonic()
        return self._connection

    def _ended(self, _: object) -> None:
        """Connect again, though nothing waits: what comes back may have less than was sent."""
        self._outbox.changed.set()

    async def _look_after(self, connection: asyncpg.Connection) -> None:
        self._fence.check()
        if self._keep is not None:
            days = dataclasses.astuple(self._keep)
            with translate_errors():
                await connection.execute("SELECT keep_partitions($1, $2, $3)", *days)
        await self._begin(connection)

    async def _write(self, connection: asyncpg.Connection, batch: Batch) -> None:
        """One batch in one transaction; what does not get through waits again.

        A row that Postgres refuses is looked for, told of and left out: it must not hold up others.
        """
        started = time.monotonic()
        try:
            self._fence.check()
            await _store(connection, batch, self._epoch())
        except RowRefused as error:
            await self._sort_out(connection, batch, error)
            return
        except BaseException:
            self._outbox.back(batch)
            raise
        self._stored(batch, started)

    async def _sort_out(
        self, connection: asyncpg.Connection, batch: Batch, error: RowRefused
    ) -> None:
        """Write all of the batch but the rows that are refused."""
        if middle := len(batch) // 2:
            try:
                await self._write(connection, batch[:middle])
            except BaseException:
                self._outbox.back(batch[middle:])
                raise
            await self._write(connection, batch[middle:])
            return
        table = TABLES[type(batch[0].record)].name
        metrics.LEDGER_DROPPED.labels(table).inc()
        logger.error("a row of %s is left out: %s", table, error)

    def _stored(self, batch: Batch, started: float) -> None:
        metrics.LEDGER_BATCH_SECONDS.observe(time.monotonic() - started)
        metrics.LEDGER_LAST_WRITE.set_to_current_time()
        for kind, rows in by_kind(batch).items():
            metrics.LEDGER_WRITTEN.labels(TABLES[kind].name).inc(len(rows))

    async def _failed(self, reason: str, message: str) -> None:
        self._failures += 1
        metrics.LEDGER_FAILURES.labels(reason).inc()
        if message != self._said:
            logger.warning("the ledger waits: %s", message)
            self._said = message
        connection, self._connection = self._connection, None
        if connection is not None:
            await close(connection)

    def _recovered(self) -> None:
        if self._failures:
            logger.info("the ledger is written again")
        self._failures, self._said = 0, ""

    def _measure(self) -> None:
        counts = self._outbox.counts()
        for kind, table in TABLES.items():
            metrics.LEDGER_WAITING.labels(table.name).set(counts.get(kind, 0))
        metrics.LEDGER_OLDEST.set(self._outbox.oldest())

    async def _flush(self) -> None:
        """Write what waits, where Postgres was there and the database ours until now.

        Over a connection of its own: the other may be in the middle of a transaction.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.terminate()
        if not len(self._outbox) or self._kept_at == float("-inf"):
            return
        with contextlib.suppress(LedgerError, LeaseLost, TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS), connected(self._dsn_file) as fresh:
                await _require_schema(fresh)
                while batch := self._outbox.take(BATCH):
                    await self._write(fresh, batch)


async def _require_schema(connection: asyncpg.Connection) -> None:
    """Newer is fine: migrations only add. Older is waited for."""
    needed, found = len(migrations()), await version(connection)
    if found < needed:
        message = (
            f"the database is at {found}, not {needed}: `roadstead ledger migrate` brings it there"
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
    """The records of each table, in the order in which tables are written."""
    found: dict[type[Record], list[Record]] = {}
    for kind in TABLES:
        if records := [each.record for each in batch if type(each.record) is kind]:
            found[kind] = records
    return found
