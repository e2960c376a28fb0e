"""The development Postgres, its roles and its restarts."""

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import asyncpg
import pytest

from dev.servers import postgres
from dev.servers.postgres import ROLES, Postgres, Role


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


def _program(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, given: bytes = b""
) -> bytes:
    path = str(postgres.programs() / command[0])
    done = subprocess.run(
        [path, *command[1:]], check=True, env=env, input=given, stdout=subprocess.PIPE
    )
    return done.stdout


@pytest.mark.parametrize("role", ROLES)
async def test_each_dsn_connects_as_its_role(server: Postgres, role: Role) -> None:
    who = await _run(server.dsn(role), "SELECT current_user || '@' || current_database()")
    assert who == f"roadstead_{role}@roadstead"


@pytest.mark.parametrize("role", ["writer", "reader"])
@pytest.mark.parametrize("table", ["TABLE", "TEMPORARY TABLE"])
async def test_only_the_owner_creates_tables(server: Postgres, role: Role, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _run(server.dsn(role), f"CREATE {table} stray (x int)")


async def test_wrong_password_is_refused(server: Postgres) -> None:
    dsn = server.dsn("reader").replace(server.passwords["reader"], "guessed")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await _run(dsn, "SELECT 1")


async def test_committed_data_survives_a_kill(server: Postgres) -> None:
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


async def test_roles_are_created_without_a_superuser() -> None:
    """Like a managed Postgres; the second time, all roles exist."""
    with postgres.running() as server:
        for statement in (
            "DROP DATABASE roadstead",
            "DROP ROLE roadstead_owner, roadstead_writer, roadstead_reader",
            "CREATE ROLE provider LOGIN CREATEROLE CREATEDB PASSWORD 'theirs'",
        ):
            await _run(server.superuser_dsn.replace("/roadstead?", "/postgres?"), statement)
        given = {f"ROADSTEAD_{each.upper()}_PASSWORD": f"new-{each}" for each in ROLES}
        dsn = f"postgresql://provider:theirs@127.0.0.1:{server.port}/postgres"
        for _ in range(2):
            command = ["psql", "-X", "-q", "-f", str(postgres.ROLES_SQL), dsn]
            await asyncio.to_thread(_program, command, env=given)
        made = f"postgresql://roadstead_owner:new-owner@127.0.0.1:{server.port}/roadstead"
        await _run(made, "CREATE TABLE ours (x int)")


async def test_dump_is_restored_over_existing_data(server: Postgres) -> None:
    """With the commands of docs/operations/ledger.md."""
    owner, all_rights = server.dsn("owner"), server.superuser_dsn
    await _run(owner, "CREATE TABLE days (at date) PARTITION BY RANGE (at)")
    await _run(owner, "CREATE TABLE early PARTITION OF days FOR VALUES FROM (MINVALUE) TO (now())")
    await _run(owner, "INSERT INTO days VALUES ('2026-01-01')")
    await _run(owner, "GRANT SELECT ON days TO roadstead_reader")
    dump = ["pg_dump", "-Fc", all_rights]
    dumped = await asyncio.to_thread(_program, dump)
    await _run(owner, "CREATE TABLE late PARTITION OF days DEFAULT")
    await _run(all_rights, "DROP OWNED BY roadstead_owner")
    restore = ["pg_restore", "-d", all_rights, "--single-transaction"]
    await asyncio.to_thread(_program, restore, given=dumped)
    assert str(await _run(server.dsn("reader"), "SELECT at FROM days")) == "2026-01-01"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _run(server.dsn("writer"), "CREATE TABLE stray (x int)")
