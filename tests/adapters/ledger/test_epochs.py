"""Epochs: after a restore of etcd, rows with higher versions are replaced."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from roadstead.ledger.epochs import KindView, current_epoch
from roadstead.ledger.records import ServerRecord, row
from roadstead.ledger.resync import claim_database, resync
from roadstead.ledger.tables import SERVERS
from tests.support.builders.records import a_server, fresh_uid
from tests.support.ledger import Ledger

ROWS = "SELECT resource_version, epoch, deleted_at IS NULL AS here FROM server_records"


def view(records: Sequence[ServerRecord], *, listed: int, current: int) -> KindView:
    """The objects in the cluster."""

    async def asked() -> int:
        return current

    return KindView(table=SERVERS, records=records, listed=listed, current=asked)


async def epoch_of(ledger: Ledger, kind: KindView, *, known: int = 0) -> int:
    """The epoch that the operator writes."""
    async with ledger.connected("writer") as connection:
        await claim_database(connection, fresh_uid())
        return await current_epoch(connection, [kind], known=known)


async def test_consistent_ledger_stays_in_its_epoch(ledger: Ledger) -> None:
    late, same, newer = fresh_uid(), fresh_uid(), fresh_uid()
    await ledger.write(*(a_server(uid=uid, version=10) for uid in (late, same)))
    await ledger.write(a_server(uid=newer, version=30))
    versions = {late: 15, same: 10, newer: 12}
    records = [a_server(uid=uid, version=version) for uid, version in versions.items()]
    assert await epoch_of(ledger, view(records, listed=20, current=30)) == 0


async def test_row_newer_than_cluster_starts_an_epoch(ledger: Ledger) -> None:
    await ledger.write(a_server(version=50))
    assert await epoch_of(ledger, view([], listed=40, current=49)) == 1
    assert (await ledger.row("SELECT epoch FROM ledger_epochs"))["epoch"] == 1


async def test_row_newer_than_its_object_starts_an_epoch_at_higher_cluster_version(
    ledger: Ledger,
) -> None:
    uid = fresh_uid()
    await ledger.write(a_server(uid=uid, version=50))
    records = [a_server(uid=uid, version=40)]
    assert await epoch_of(ledger, view(records, listed=1_000, current=1_000)) == 1


async def test_deleted_row_of_existing_object_starts_an_epoch(ledger: Ledger) -> None:
    uid = fresh_uid()
    await ledger.write(a_server(uid=uid, version=50, deleted=True))
    records = [a_server(uid=uid, version=40)]
    assert await epoch_of(ledger, view(records, listed=1_000, current=1_000)) == 1


async def test_restored_database_continues_in_the_known_epoch(ledger: Ledger) -> None:
    assert await epoch_of(ledger, view([], listed=9, current=9), known=3) == 3


async def write_in(ledger: Ledger, epoch: int, record: ServerRecord) -> None:
    """Write a row in this epoch, as the writer does."""
    async with ledger.connected("writer") as connection:
        for statement in SERVERS.statements:
            await connection.execute(statement, json.dumps([{**row(record), "epoch": epoch}]))


@pytest.mark.parametrize("deleted", [False, True])
async def test_row_of_later_epoch_replaces_higher_version(ledger: Ledger, deleted: bool) -> None:
    uid = fresh_uid()
    await ledger.write(a_server(uid=uid, version=50, deleted=deleted))
    await write_in(ledger, 1, a_server(uid=uid, version=40))
    assert await ledger.row(ROWS) == {"resource_version": 40, "epoch": 1, "here": True}


async def test_late_write_of_earlier_epoch_is_ignored(ledger: Ledger) -> None:
    uid = fresh_uid()
    await write_in(ledger, 1, a_server(uid=uid, version=40))
    await write_in(ledger, 0, a_server(uid=uid, version=50))
    assert await ledger.row(ROWS) == {"resource_version": 40, "epoch": 1, "here": True}


async def test_resync_in_later_epoch_writes_all_and_marks_deleted_rows(ledger: Ledger) -> None:
    uid = fresh_uid()
    await ledger.write(a_server(uid=uid, version=50), a_server(version=60))
    async with ledger.connected("writer") as connection:
        late = await resync(
            connection, SERVERS, [a_server(uid=uid, version=40)], gone_at=lambda _: 45, epoch=1
        )
    assert [record.resource_version for record in late] == [40]
    (ended,) = await ledger.rows(f"{ROWS} WHERE deleted_at IS NOT NULL")
    assert ended == {"resource_version": 45, "epoch": 1, "here": False}
