"""Making the ledger equal to the cluster: what it missed is written, what is gone is marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import asyncpg

from roadstead.errors import LedgerError
from roadstead.ledger.database import translate_errors
from roadstead.ledger.records import ObjectRecord, ServerRecord, key_of
from roadstead.ledger.tables import Table, live_versions_sql, mark_deleted_sql


async def claim(connection: asyncpg.Connection, cluster_uid: str) -> None:
    """Make the database this cluster's, once; LedgerError where it is another one's.

    Another cluster's operator would take every object of this one for deleted.
    """
    with translate_errors():
        await connection.execute(
            "INSERT INTO ledger_cluster (cluster_uid) VALUES ($1) ON CONFLICT DO NOTHING",
            cluster_uid,
        )
        found = await connection.fetchval("SELECT cluster_uid::text FROM ledger_cluster")
    if found != cluster_uid:
        message = (
            f"the database keeps the records of another cluster (its kube-system has the UID "
            f"{found}, this one's {cluster_uid}): give each cluster a database of its own"
        )
        raise LedgerError(message, reason="OtherCluster")


async def resync(
    connection: asyncpg.Connection,
    table: Table,
    desired: Iterable[ObjectRecord],
    *,
    gone_at: Callable[[str], int],
    epoch: int = 0,
) -> list[ObjectRecord]:
    """The records that the table lacks or has an older state of; those gone are marked deleted.

    `desired` is every object of the kind. `gone_at` tells of any other UID up to which version it
    is known not to be there: a row that is newer than that is none of ours to end. Rows of an
    epoch before `epoch` are old, whatever their version.
    """
    with translate_errors():
        rows = await connection.fetch(live_versions_sql(table))
    stored = {
        row["key"]: (row["resource_version"], row["pods_version"])
        for row in rows
        if row["epoch"] >= epoch
    }
    late, seen = [], set()
    for record in desired:
        seen.add(key_of(record))
        if _is_late(record, stored.get(key_of(record))):
            late.append(record)
    gone = sorted({row["key"] for row in rows} - seen)
    if gone:
        with translate_errors():
            await connection.execute(mark_deleted_sql(table), gone, list(map(gone_at, gone)), epoch)
    return late


def _is_late(record: ObjectRecord, stored: tuple[int, int] | None) -> bool:
    if stored is None:
        return True
    version, pods = stored
    newer_pods = isinstance(record, ServerRecord) and record.pods_version > pods
    return record.resource_version > version or newer_pods
