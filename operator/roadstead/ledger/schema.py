"""Runs migrations: versioned SQL, forward only, one process at a time."""

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

_LOCK_KEY: Final = 0x0AD57EAD
"""The key of the `pg_advisory_lock` during a migration."""
_NAME: Final = re.compile(r"(?P<version>[0-9]{4})_(?P<name>[a-z0-9_]+)\.sql")
_CREATE_MIGRATIONS_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Migration:
    """One migration; its text does not change after release."""

    version: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """The sha256 of its text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Roles:
    """The roles that may write and read; both must exist."""

    writer: str
    reader: str


def migrations() -> tuple[Migration, ...]:
    """Return all migrations of this version, in order, numbered from 1 without gaps."""
    found = []
    for entry in files("roadstead.ledger").joinpath("migrations").iterdir():
        if match := _NAME.fullmatch(entry.name):
            sql = entry.read_text(encoding="utf-8")
            found.append(Migration(version=int(match["version"]), name=match["name"], sql=sql))
    return tuple(sorted(found, key=lambda each: each.version))


async def version(connection: asyncpg.Connection) -> int:
    """Return the database's schema version; LedgerUnavailable if it was never migrated."""
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
    """Update the schema and the rights of both roles; return the applied migrations.

    With a `floor`, the writer cannot drop rows before they are that old. Each migration is a
    transaction, and a lock excludes other processes. Raises LedgerError if the database is newer
    than this version, or has other migrations.
    """
    with translate_errors():
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY, timeout=600)
        try:
            await connection.execute(_CREATE_MIGRATIONS_TABLE)
            applied = await _pending(connection, migrations() if wanted is None else wanted)
            for each in applied:
                async with connection.transaction():
                    await _apply(connection, each)
            async with connection.transaction():
                await _grant(connection, roles)
                if floor is not None:
                    await _set_floor(connection, floor)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK_KEY)
    return [f"{each.version:04} {each.name}" for each in applied]


async def _pending(connection: asyncpg.Connection, wanted: Sequence[Migration]) -> list[Migration]:
    rows = await connection.fetch("SELECT version, name, sha256 FROM schema_migrations")
    known = {each.version: each for each in wanted}
    for row in rows:
        ours = known.get(row["version"])
        if ours is None:
            message = (
                f"the database has migration {row['version']:04} {row['name']}, which this version "
                "does not have: use the Roadstead that migrated it, or a newer one"
            )
            raise LedgerError(message, reason="SchemaNewer")
        if ours.digest != row["sha256"]:
            message = (
                f"migration {ours.version:04} of this database differs from this version's: "
                "use the Roadstead that applied it, or a new database"
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
    """Grant the writer to write rows and the reader to read them; neither may alter tables.

    In the appended tables the writer may only insert; earlier versions allowed updates.
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
