"""Migrations on a real database, and the rights of each role."""

import asyncio
import datetime

import asyncpg
import pytest

from roadstead.errors import LedgerError, LedgerUnavailable
from roadstead.ledger.schema import Migration, migrate, migrations, version
from tests.support.builders.records import a_server, an_admission
from tests.support.ledger import ROLES, Ledger

NEXT = Migration(version=len(migrations()) + 1, name="next", sql="CREATE TABLE added (one int)")


@pytest.mark.parametrize("earlier", range(1, len(migrations()) + 1))
async def test_data_of_each_earlier_version_is_kept(own_ledger: Ledger, earlier: int) -> None:
    async with own_ledger.connected("owner") as connection:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await migrate(connection, ROLES, migrations()[:earlier])
        await connection.execute(
            "INSERT INTO model_records SELECT gen_random_uuid(), 'kept', '', '', '', '', '', '', "
            "NULL, NULL, NULL, '', 'Ready', '', '', '{}', 0, now(), now(), NULL, 1, 1"
        )
        await migrate(connection, ROLES)
        assert await connection.fetchval("SELECT model_name FROM model_records") == "kept"
        assert await version(connection) == len(migrations())


async def test_migrating_again_changes_nothing(ledger: Ledger) -> None:
    async with ledger.connected("owner") as connection:
        assert await migrate(connection, ROLES) == []


async def test_concurrent_migrations_are_applied_once(own_ledger: Ledger) -> None:
    async def add() -> list[str]:
        async with own_ledger.connected("owner") as connection:
            return await migrate(connection, ROLES, [*migrations(), NEXT])

    done = await asyncio.gather(*(add() for _ in range(4)))
    assert sorted(done) == [[], [], [], [f"{NEXT.version:04} next"]]


async def test_failed_migration_is_rolled_back(own_ledger: Ledger) -> None:
    broken = Migration(version=NEXT.version, name="next", sql=f"{NEXT.sql}; SELECT 1/0")
    async with own_ledger.connected("owner") as connection:
        with pytest.raises(LedgerError, match="DivisionByZero"):
            await migrate(connection, ROLES, [*migrations(), broken])
        assert await connection.fetchval("SELECT to_regclass('added')") is None
        assert await version(connection) == len(migrations())


async def test_newer_database_is_not_changed(own_ledger: Ledger) -> None:
    async with own_ledger.connected("owner") as connection:
        await migrate(connection, ROLES, [*migrations(), NEXT])
        with pytest.raises(LedgerError, match="use the Roadstead that migrated it") as refused:
            await migrate(connection, ROLES)
    assert refused.value.reason == "SchemaNewer"


async def test_changed_migration_is_refused(own_ledger: Ledger) -> None:
    first, *rest = migrations()
    other = Migration(version=first.version, name=first.name, sql=f"{first.sql} ")
    async with own_ledger.connected("owner") as connection:
        with pytest.raises(LedgerError, match="differs from this version's"):
            await migrate(connection, ROLES, [other, *rest])


async def test_reader_cannot_write(ledger: Ledger) -> None:
    async with ledger.connected("reader") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE server_records SET status = 'Ready'")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SELECT keep_partitions(1, 1, 1)")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (one int)",
        "DROP TABLE server_records",
        "DELETE FROM server_records",
        "TRUNCATE admission_records",
        "UPDATE ledger_cluster SET cluster_uid = gen_random_uuid()",
        "UPDATE schema_migrations SET version = 9",
        "SELECT make_partition('server_records', current_date)",
    ],
)
async def test_writer_can_only_write_rows(ledger: Ledger, statement: str) -> None:
    async with ledger.connected("writer") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_partitions_are_created_ahead(ledger: Ledger) -> None:
    async with ledger.connected("writer") as connection:
        await connection.execute("SELECT keep_partitions(30, 30, 30)")
    await ledger.write(an_admission(decided_at=today(3)))
    assert await where(ledger) == [f"admission_records_{today(3)[:10].replace('-', '')}"]


async def test_expired_partitions_are_dropped(ledger: Ledger) -> None:
    async with ledger.connected("owner") as connection:
        day = datetime.date.fromisoformat(today(-40)[:10])
        await connection.execute("SELECT make_partition('admission_records', $1)", day)
    await ledger.write(an_admission(decided_at=today(-40)), an_admission(decided_at=today(0)))
    async with ledger.connected("writer") as connection:
        await connection.execute("SELECT keep_partitions(30, 30, 39)")
    assert len(await ledger.rows("SELECT * FROM admission_records")) == 1


async def test_rows_move_from_default_into_new_partition(ledger: Ledger) -> None:
    await ledger.write(a_server(), an_admission(decided_at=today(-20)))
    assert await where(ledger) == ["admission_records_default"]
    async with ledger.connected("owner") as connection:
        day = datetime.date.fromisoformat(today(-20)[:10])
        await connection.execute("SELECT make_partition('admission_records', $1)", day)
    assert await where(ledger) == [f"admission_records_{day:%Y%m%d}"]


async def test_unmigrated_database_is_reported(own_ledger: Ledger) -> None:
    async with own_ledger.connected("owner") as connection:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        with pytest.raises(LedgerUnavailable, match="roadstead ledger migrate"):
            await version(connection)


def today(days: int) -> str:
    """Noon, `days` from now."""
    moment = datetime.datetime.now(datetime.UTC).replace(hour=12)
    return (moment + datetime.timedelta(days=days)).isoformat()


async def where(ledger: Ledger) -> list[str]:
    """The partitions that contain admissions."""
    rows = await ledger.rows("SELECT tableoid::regclass::text AS part FROM admission_records")
    return [row["part"] for row in rows]
