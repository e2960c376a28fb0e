"""The development Postgres without starting it; tests/adapters starts it."""

from pathlib import Path

from dev.servers.postgres import ROLES, ROLES_SQL, Postgres


def test_each_role_has_its_own_dsn() -> None:
    passwords = {str(each): f"of-{each}" for each in ROLES} | {"postgres": "all"}
    server = Postgres(folder=Path("/nowhere"), port=5433, passwords=passwords)
    assert [server.dsn(each) for each in ROLES] == [
        f"postgresql://roadstead_{each}:of-{each}@127.0.0.1:5433/roadstead?sslmode=disable"
        for each in ROLES
    ]
    assert server.superuser_dsn.startswith("postgresql://postgres:all@127.0.0.1:5433/")


def test_chart_sql_reads_each_password_from_the_environment() -> None:
    sql = ROLES_SQL.read_text()
    assert all(f"ROADSTEAD_{each.upper()}_PASSWORD" in sql for each in ROLES)
