"""The epoch of the ledger's rows: a new one begins where the cluster's state went back."""

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
    """What the cluster has of one kind."""

    table: Table
    records: Sequence[ObjectRecord]
    """Of every object, at least as new as the version `listed`."""
    listed: int
    current: Callable[[], Awaitable[int]]
    """Asks for the version that the kind is at now."""


async def current_epoch(
    connection: asyncpg.Connection, kinds: Iterable[KindView], *, known: int
) -> int:
    """The epoch to write in: a new one where rows are of a state that the cluster went back from.

    `known` is that of earlier connections: a database restored from a backup may be behind it.
    """
    with translate_errors():
        stored = await connection.fetchval("SELECT coalesce(max(epoch), 0) FROM ledger_epochs")
    epoch = max(int(stored), known)
    for kind in kinds:
        if await _went_back(connection, kind, epoch):
            epoch += 1
            logger.warning(
                "%s has rows of a state that the cluster went back from, as by a restore of etcd: "
                "all are written anew, in epoch %d",
                kind.table.name,
                epoch,
            )
            break
    if epoch != stored:
        with translate_errors():
            await connection.execute("INSERT INTO ledger_epochs (epoch) VALUES ($1)", epoch)
    return epoch


async def _went_back(connection: asyncpg.Connection, kind: KindView, epoch: int) -> bool:
    keys = [key_of(each) for each in kind.records]
    versions = [each.resource_version for each in kind.records]
    with translate_errors():
        highest = await connection.fetchval(highest_version_sql(kind.table), epoch)
        wrong = await connection.fetchval(
            contradiction_sql(kind.table), epoch, keys, versions, kind.listed
        )
    # Asked for after the rows were read: it is at least as high as all that was written by then.
    return bool(wrong) or highest > await kind.current()
