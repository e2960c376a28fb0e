"""The epoch of the ledger's rows: a new one starts when the cluster's state was restored."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

import asyncpg

from roadstead.ledger.database import translate_errors
from roadstead.ledger.records import ObjectRecord, key_of
from roadstead.ledger.tables import Table, contradiction_sql, highest_version_sql

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class KindView:
    """The objects of one kind in the cluster."""

    table: Table
    records: Sequence[ObjectRecord]
    """All objects, at least as new as the version `listed`."""
    listed: int
    current: Callable[[], Awaitable[int]]
    """Returns the current version of the kind."""


async def current_epoch(
    connection: asyncpg.Connection, kinds: Iterable[KindView], *, known: int
) -> int:
    """Return the epoch to write: a new one if rows are newer than the restored cluster.

    `known` is the epoch of earlier connections: a database restored from a backup may be older.
    """
    with translate_errors():
        stored = await connection.fetchval("SELECT coalesce(max(epoch), 0) FROM ledger_epochs")
    epoch = max(int(stored), known)
    for kind in kinds:
        if await _is_newer_than_cluster(connection, kind, epoch):
            epoch += 1
            logger.warning(
                "%s has rows that are newer than the cluster's state, as after a restore of etcd; "
                "writing all rows again, in epoch %d",
                kind.table.name,
                epoch,
            )
            break
    if epoch != stored:
        with translate_errors():
            await connection.execute("INSERT INTO ledger_epochs (epoch) VALUES ($1)", epoch)
    return epoch


async def _is_newer_than_cluster(
    connection: asyncpg.Connection, kind: KindView, epoch: int
) -> bool:
    keys = [key_of(each) for each in kind.records]
    versions = [each.resource_version for each in kind.records]
    with translate_errors():
        highest = await connection.fetchval(highest_version_sql(kind.table), epoch)
        contradicted = await connection.fetchval(
            contradiction_sql(kind.table), epoch, keys, versions, kind.listed
        )
    # Read after the rows, so that it is at least as high as theirs unless etcd was restored.
    return bool(contradicted) or highest > await kind.current()
