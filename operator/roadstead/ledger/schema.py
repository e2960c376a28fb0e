"""Migrations: versioned SQL, forward only, one process at a time."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

import asyncpg

from roadstead.errors import LedgerError
from roadstead.ledger.database import translate_errors
from roadstead.ledger.retention import Retention

logger = logging.getLogger(__name__)

_LOCK: Final = 0x0AD57EAD
"""Of `pg_advisory_lock`: whoever migrates holds it."""
_NAME: Final = re.compile(r"(?P<version>[0-9]{4})_(?P<name>[a-z0-9_]+)\.sql")
_KEPT: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Migration:
    """One step; once released, its text does not change."""

    version: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """sha256 of its text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Roles:
    """The roles that may write and read; both exist already."""

    writer: str
    reader: str


def migrations() -> tuple[Migration, ...]:
    """All that this version has, in order, from 1 on without a gap."""
    found = []
    for entry in files("roadstead.ledger").joinpath("migrations").iterdir():
        if match := _NAME.fullmatch(entry.name):
            sql = entry.read_text(encoding="utf-8")
            found.append(Migration(version=int(match["version"]), name=match["name"], sql=sql))
    return tuple(sorted(found, key=lambda each: each.version))


async def version(connection: asyncpg.Connection) -> int:
    """What the database is at; LedgerUnavailable where it was never migrated."""
    with translate_errors():
        found = await connection.fetchval("SELECT max(version) FROM schema_migrations")
    return int(found or 0)


async def migrate(
    connection: asyncpg.Connection,
    roles: Roles,
    wanted: Sequence[Migration] | None = None,
    *,
    floor: Retention | None = None,
) -> list[str]:
    """Bring the database up to date, and the rights of both roles with it; what was applied.

    With a `floor`, the writer cannot have rows dropped before they are that old.
    Each step is a transaction of its own, and a lock keeps others waiting. Raises LedgerError where
    the database is ahead of this version, or was migrated by something else.
    """
    with translate_errors():
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK, timeout=600)
        try:
            await connection.execute(_KEPT)
            applied = await _pending(connection, migrations() if wanted is None else wanted)
            for each in applied:
                async with connection.transaction():
                    await _apply(connection, each)
            async with connection.transaction():
                await _grant(connection, roles)
                if floor is not None:
                    await _set_floor(connection, floor)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    return [f"{each.version:04} {each.name}" for each in applied]


async def _pending(connection: asyncpg.Connection, wanted: Sequence[Migration]) -> list[Migration]:
    rows = await connection.fetch("SELECT version, name, sha256 FROM schema_migrations")
    known = {each.version: each for each in wanted}
    for row in rows:
        ours = known.get(row["version"])
        if ours is None:
            message = (
                f"the database is at {row['version']:04} {row['name']}, which this version does "
                "not know: use the Roadstead that migrated it, or a newer one"
            )
            raise LedgerError(message, reason="SchemaNewer")
        if ours.digest != row["sha256"]:
            message = (
                f"migration {ours.version:04} of this database is another one than ours: "
                "use the Roadstead that made it, or a new database"
            )
            raise LedgerError(message, reason="SchemaOther")
    done = {row["version"] for row in rows}
    return [each for each in wanted if each.version not in done]


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    logger.info("migration %04d %s", migration.version, migration.name)
    await connection.execute(migration.sql, timeout=3600)
    await connection.execute(
        "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)",
        migration.version,
        migration.name,
        migration.digest,
    )


async def _grant(connection: asyncpg.Connection, roles: Roles) -> None:
    """The writer writes rows and the reader reads them; neither may change a table.

    In the appended tables the writer only inserts: earlier versions let it update rows there.
    """
    writer, reader = (_quoted(name) for name in (roles.writer, roles.reader))
    await connection.execute(f"""
        GRANT USAGE ON SCHEMA public TO {writer}, {reader};
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO {writer}, {reader};
        GRANT INSERT, UPDATE ON server_records, model_records, contract_records TO {writer};
        GRANT INSERT ON status_history, usage_samples, admission_records TO {writer};
        GRANT INSERT ON ledger_cluster TO {writer};
        GRANT EXECUTE ON FUNCTION keep_partitions(integer, integer, integer) TO {writer};
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {writer}, {reader};
    """)
    if await connection.fetchval("SELECT to_regclass('ledger_epochs') IS NOT NULL"):
        await connection.execute(f"GRANT INSERT ON ledger_epochs TO {writer}")
    appended = "status_history, usage_samples, admission_records"
    await connection.execute(f"REVOKE UPDATE ON {appended} FROM {writer}")


async def _set_floor(connection: asyncpg.Connection, floor: Retention) -> None:
    await connection.executemany(
        "INSERT INTO retention_floors (parent, days) VALUES ($1, $2) "
        "ON CONFLICT (parent) DO UPDATE SET days = excluded.days",
        list(floor.by_table().items()),
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
