"""The start script of the embedded Postgres."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from dev.servers.process import free_port
from tests.chart.embedded_postgres import HOST, PASSWORDS, Pod
from tests.support.charts import Chart


@contextlib.contextmanager
def _pod() -> Iterator[Pod]:
    # Not pytest's folder: the account of Postgres can't read it.
    pod = Pod(folder=Path(tempfile.mkdtemp(prefix="roadstead-postgres-")), port=free_port())
    pod.set_up(PASSWORDS)
    try:
        yield pod
    finally:
        pod.kill()
        shutil.rmtree(pod.folder)


@pytest.fixture
def pod() -> Iterator[Pod]:
    with _pod() as pod:
        yield pod


@pytest.fixture(scope="module")
def ready() -> Iterator[Pod]:
    """Return a pod after its first start, for tests that don't change it."""
    with _pod() as pod:
        pod.start_until_ready()
        yield pod


async def _rights(pod: Pod, role: str) -> dict[str, object]:
    asked = {
        "create": "SELECT has_schema_privilege('public', 'CREATE')",
        "temporary": "SELECT has_database_privilege('roadstead', 'TEMPORARY')",
        "superuser": "SELECT rolsuper FROM pg_roles WHERE rolname = current_user",
    }
    return {name: await pod.ask(role, PASSWORDS[role], sql) for name, sql in asked.items()}


async def test_first_start_creates_the_ledger_and_its_roles(ready: Pod) -> None:
    owner = {"create": True, "temporary": True, "superuser": False}
    nothing = {"create": False, "temporary": False, "superuser": False}
    assert [await _rights(ready, each) for each in PASSWORDS] == [owner, nothing, nothing]
    settings = {"data_checksums": "on", "server_encoding": "UTF8", "shared_buffers": "128MB"}
    for name, value in settings.items():
        assert await ready.ask("reader", PASSWORDS["reader"], f"SHOW {name}") == value


async def test_superuser_cannot_connect_over_the_network(ready: Pod) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="no pg_hba"):
        await asyncpg.connect(
            host="127.0.0.1", port=ready.port, user="postgres", password="any", database="roadstead"
        )


async def test_second_start_keeps_the_data_and_sets_a_new_password(pod: Pod) -> None:
    pod.start_until_ready()
    await pod.ask("owner", PASSWORDS["owner"], "CREATE TABLE kept AS SELECT 7 AS x")
    pod.stop()
    pod.set_dsn("owner", f"postgresql://roadstead_owner:a%20%27%5Cnew%25@{HOST}:5432/roadstead")
    pod.start_until_ready()
    assert await pod.ask("owner", r"a '\new%", "SELECT x FROM kept") == 7
    with pytest.raises(asyncpg.InvalidPasswordError):
        await pod.ask("owner", PASSWORDS["owner"], "SELECT 1")


def test_probes_are_not_rejected(chart: Chart, pod: Pod) -> None:
    stateful = chart.render().one("StatefulSet", "roadstead-postgres")
    (container,) = stateful["spec"]["template"]["spec"]["containers"]
    pod.start_until_ready()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert pod.probe(container[probe]["exec"]["command"])
    # The log has starts and stops, and no rejected probe every few seconds.
    assert "pg_hba.conf" not in pod.stop()


async def test_interrupted_first_start_begins_again(pod: Pod) -> None:
    with pod.stuck():
        pod.start()
        pod.wait((pod.data.with_name("postgres.new") / "global").exists)
        pod.kill()
    assert not pod.data.exists()
    pod.start_until_ready()
    assert await pod.ask("reader", PASSWORDS["reader"], "SELECT 1") == 1
    assert not pod.data.with_name("postgres.new").exists()


async def test_group_writable_folder_is_restricted_again(pod: Pod) -> None:
    pod.start_until_ready()
    pod.stop()
    pod.data.chmod(0o2770)
    pod.start_until_ready()
    assert await pod.ask("reader", PASSWORDS["reader"], "SELECT 1") == 1


def test_data_of_another_version_is_kept_and_reported(pod: Pod) -> None:
    pod.data.mkdir()
    (pod.data / "PG_VERSION").write_text("9\n")
    message = pod.refusal()
    assert "the data is of Postgres 9 and this image is Postgres" in message
    assert "Set images.postgres to a 9 again" in message
    assert [path.name for path in pod.data.iterdir()] == ["PG_VERSION"]


def test_foreign_files_in_the_data_folder_are_kept(pod: Pod) -> None:
    pod.data.mkdir()
    (pod.data / "theirs").write_text("precious")
    assert "holds no data of Postgres" in pod.refusal()
    assert (pod.data / "theirs").read_text() == "precious"


@pytest.mark.parametrize(
    ("dsn", "message"),
    [
        pytest.param("postgresql://roadstead_reader:x@h/x", "roadstead_writer:PASSWORD", id="role"),
        pytest.param("host=h user=roadstead_writer", "roadstead_writer:PASSWORD", id="form"),
        pytest.param(
            "postgresql://roadstead_writer:x@db.example.com/x", "embedded=false", id="host"
        ),
    ],
)
def test_mismatched_dsn_is_reported(pod: Pod, dsn: str, message: str) -> None:
    pod.set_dsn("writer", dsn)
    assert message in pod.refusal()


def test_no_password_is_logged(ready: Pod) -> None:
    held = b"".join(path.read_bytes() for path in ready.data.rglob("*") if path.is_file())
    assert not [each for each in PASSWORDS.values() if each.encode() in held]
