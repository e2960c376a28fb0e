"""Rights of the writer's role: it can't change or delete recorded rows."""

import datetime

import asyncpg
import pytest

from roadstead.ledger.retention import Retention
from roadstead.ledger.schema import migrate
from roadstead.ledger.tables import OBJECTS
from tests.support.builders.records import an_admission
from tests.support.ledger import ROLES, Ledger

APPENDED = ("status_history", "usage_samples", "admission_records")
FLOOR = Retention(history=10, usage=20, admissions=30)
LONG_AGO = datetime.timedelta(days=25)


@pytest.fixture
async def floored(ledger: Ledger) -> Ledger:
    """A ledger with a retention floor, and an admission newer than it."""
    async with ledger.connected("owner") as owner:
        await migrate(owner, ROLES, floor=FLOOR)
        moment = datetime.datetime.now(datetime.UTC) - LONG_AGO
        await owner.execute("SELECT make_partition('admission_records', $1)", moment.date())
    await ledger.write(an_admission(decided_at=moment.isoformat()))
    return ledger


async def kept(ledger: Ledger) -> int:
    """The number of admissions that are kept."""
    return len(await ledger.rows("SELECT FROM admission_records"))


async def test_writer_has_only_these_rights(ledger: Ledger) -> None:
    rows = await ledger.rows(
        "SELECT c.relname, a.privilege_type FROM pg_class c, LATERAL aclexplode(c.relacl) a "
        "WHERE a.grantee = 'roadstead_writer'::regrole AND a.privilege_type <> 'SELECT'"
    )
    followed = {(table.name, right) for table in OBJECTS for right in ("INSERT", "UPDATE")}
    appended = {(table, "INSERT") for table in (*APPENDED, "ledger_cluster", "ledger_epochs")}
    assert {(row["relname"], row["privilege_type"]) for row in rows} == followed | appended


@pytest.mark.parametrize("table", [*APPENDED, *(f"{name}_default" for name in APPENDED)])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET {} = now()",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
        "DROP TABLE {}",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
    ],
)
async def test_writer_cannot_change_appended_rows(
    ledger: Ledger, table: str, statement: str
) -> None:
    moments = {"status": "at", "usage": "sampled_at", "admission": "decided_at"}
    column = moments[table.partition("_")[0]]
    async with ledger.connected("writer") as writer, writer.transaction():
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await writer.execute(statement.format(table, column))


@pytest.mark.parametrize("days", ["-8", "0", "1", "24", "NULL", "-2147483647", "-700000"])
async def test_retention_floor_is_kept_for_any_number_of_days(floored: Ledger, days: str) -> None:
    async with floored.connected("writer") as writer:
        await writer.execute(f"SELECT keep_partitions({days}, {days}, {days})")
    assert await kept(floored) == 1


async def test_session_settings_do_not_change_the_floor(floored: Ledger) -> None:
    async with floored.connected("writer") as writer:
        await writer.execute("SET timezone = 'Pacific/Kiritimati'; SET datestyle = 'SQL, DMY'")
        await writer.execute("SELECT keep_partitions(0, 0, 0)")
    assert await kept(floored) == 1


async def test_writer_cannot_set_the_floor(floored: Ledger) -> None:
    async with floored.connected("writer") as writer:
        for statement in (
            "UPDATE retention_floors SET days = 1",
            "DELETE FROM retention_floors",
            "INSERT INTO retention_floors VALUES ('mine', 1)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await writer.execute(statement)


async def test_owner_can_lower_the_floor(floored: Ledger) -> None:
    async with floored.connected("owner") as owner:
        await migrate(owner, ROLES, floor=Retention(history=1, usage=1, admissions=24))
    async with floored.connected("writer") as writer:
        await writer.execute("SELECT keep_partitions(90, 90, 25)")
        assert await kept(floored) == 1
        await writer.execute("SELECT keep_partitions(90, 90, 24)")
    assert await kept(floored) == 0


async def test_table_without_floor_keeps_everything(floored: Ledger) -> None:
    async with floored.connected("owner") as owner:
        await owner.execute("DELETE FROM retention_floors")
    async with floored.connected("writer") as writer:
        await writer.execute("SELECT keep_partitions(1, 1, 1)")
    assert await kept(floored) == 1


async def test_migration_revokes_rights_of_earlier_versions(ledger: Ledger) -> None:
    async with ledger.connected("owner") as owner:
        await owner.execute(f"GRANT UPDATE ON {', '.join(APPENDED)} TO roadstead_writer")
        await migrate(owner, ROLES)
    async with ledger.connected("writer") as writer:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await writer.execute("UPDATE admission_records SET allowed = true")
