"""Compares the ledger with the cluster: finds missing rows, marks deleted ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import asyncpg

from roadstead.errors import LedgerError
from roadstead.ledger.database import translate_errors
from roadstead.ledger.records import ObjectRecord, ServerRecord, key_of
from roadstead.ledger.tables import Table, live_versions_sql, mark_deleted_sql


async def claim_database(connection: asyncpg.Connection, cluster_uid: str) -> None:
    """Bind the database to this cluster; LedgerError if it belongs to another one.

    Otherwise the operator of the other cluster would mark every object of this one as deleted.
    """
    with translate_errors():
        await connection.execute(
            "INSERT INTO ledger_cluster (cluster_uid) VALUES ($1) ON CONFLICT DO NOTHING",
            cluster_uid,
        )
        found = await connection.fetchval("SELECT cluster_uid::text FROM ledger_cluster")
    if found != cluster_uid:
        message = (
            f"the database belongs to another cluster (UID of kube-system there: {found}, here: "
            f"{cluster_uid}): use a separate database for each cluster"
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
    """Return the records that the table lacks or has older states of; mark deleted ones.

    `desired` has every object of the kind. `gone_at` returns, for any other UID, the latest version
    at which it is known not to exist: newer rows are not marked. Rows of an earlier epoch are old
    at any version.
    """
    with translate_errors():
        rows = await connection.fetch(live_versions_sql(table))
    stored = {
        row["key"]: (row["resource_version"], row["pods_version"])
        for row in rows
        if row["epoch"] >= epoch
    }
    outdated, seen = [], set()
    for record in desired:
        seen.add(key_of(record))
        if _is_outdated(record, stored.get(key_of(record))):
            outdated.append(record)
    gone = sorted({row["key"] for row in rows} - seen)
    if gone:
        with translate_errors():
            await connection.execute(mark_deleted_sql(table), gone, list(map(gone_at, gone)), epoch)
    return outdated


def _is_outdated(record: ObjectRecord, stored: tuple[int, int] | None) -> bool:
    if stored is None:
        return True
    version, pods = stored
    newer_pods = isinstance(record, ServerRecord) and record.pods_version > pods
    return record.resource_version > version or newer_pods
