"""The development Postgres, its roles and its restarts."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from dev import postgres
from dev.postgres import ROLES, Postgres, Role


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres.running() as running:
        yield running


async def _run(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@pytest.mark.parametrize("role", ROLES)
async def test_each_dsn_opens_the_database_as_its_role(server: Postgres, role: Role) -> None:
    who = await _run(server.dsn(role), "SELECT current_user || '@' || current_database()")
    assert who == f"roadstead_{role}@roadstead"


@pytest.mark.parametrize("role", ["writer", "reader"])
@pytest.mark.parametrize("table", ["TABLE", "TEMPORARY TABLE"])
async def test_only_the_owner_creates_tables(server: Postgres, role: Role, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _run(server.dsn(role), f"CREATE {table} stray (x int)")


async def test_wrong_password_opens_nothing(server: Postgres) -> None:
    dsn = server.dsn("reader").replace(server.passwords["reader"], "guessed")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await _run(dsn, "SELECT 1")


async def test_what_was_committed_outlives_a_kill(server: Postgres) -> None:
    await _run(server.dsn("owner"), "CREATE TABLE kept AS SELECT 7 AS x")
    server.kill()
    server.start()
    assert await _run(server.dsn("owner"), "SELECT x FROM kept") == 7


async def test_same_folder_has_the_same_data_and_passwords() -> None:
    with tempfile.TemporaryDirectory(prefix="roadstead-postgres-") as name:
        with postgres.running(Path(name)) as first:
            dsn, port = first.dsn("owner"), first.port
            await _run(dsn, "CREATE TABLE kept AS SELECT 7 AS x")
            first.stop()
        with postgres.running(Path(name), port=port):
            assert await _run(dsn, "SELECT x FROM kept") == 7
