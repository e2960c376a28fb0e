"""Outages of Postgres: waiting records are written, and older ones never replace newer ones."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from prometheus_client import REGISTRY

from roadstead.errors import LedgerError, LedgerUnavailable
from roadstead.ledger import writer
from roadstead.ledger.database import close, connected, transaction, translate_errors
from roadstead.ledger.outbox import Outbox
from roadstead.ledger.resync import claim_database, resync
from roadstead.ledger.tables import SERVERS
from tests.support.builders.records import a_sample, a_server, an_admission, fresh_uid, ready
from tests.support.faults_table import Healing
from tests.support.ledger import Ledger, wait_until_empty
from tests.support.waiting import assert_eventually

STATUSES = "SELECT status FROM server_records"
IDLE_TIMEOUT = "idle_in_transaction_session_timeout"
SLOW_WRITES = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT ON server_records EXECUTE FUNCTION slow()
"""
"""Slows down each batch."""
SET_REASON = "UPDATE server_records SET status_reason = $1"


async def test_changes_during_an_outage_are_written(own_ledger: Ledger) -> None:
    outbox, gone = Outbox(), fresh_uid()
    outbox.put(a_server(version=1, uid=gone))
    async with own_ledger.writing(outbox):
        await wait_until_empty(outbox)
        own_ledger.server.stop()
        outbox.put(a_server(version=2, uid=gone, deleted=True))
        outbox.put(a_server(version=3))
        outbox.append([an_admission()])
        await assert_eventually(lambda: failures() > 0)
        own_ledger.server.start()
        await wait_until_empty(outbox)
    rows = await own_ledger.rows(f"{STATUSES} ORDER BY resource_version")
    assert [row["status"] for row in rows] == ["Deleted", "Ready"]
    assert len(await own_ledger.rows("SELECT * FROM admission_records")) == 1


async def test_writer_resyncs_after_reconnect_without_changes(
    own_ledger: Ledger,
) -> None:
    begun: list[asyncpg.Connection] = []

    async def begin(connection: asyncpg.Connection) -> None:
        begun.append(connection)

    async with own_ledger.writing(Outbox(), begin):
        await assert_eventually(lambda: len(begun) == 1)
        own_ledger.server.stop()
        own_ledger.server.start()
        await assert_eventually(lambda: len(begun) == 2)


async def test_idle_transaction_releases_its_rows(own_ledger: Ledger) -> None:
    await own_ledger.write(a_server())
    async with own_ledger.connected("writer") as lost, own_ledger.connected("writer") as other:
        begun = contextlib.AsyncExitStack()
        await begun.enter_async_context(transaction(lost, idle_seconds=60))
        await lost.execute(SET_REASON, "lost")
        assert await lost.fetchval(f"SHOW {IDLE_TIMEOUT}") == "1min"
        await lost.execute(f"SET LOCAL {IDLE_TIMEOUT} = 1")
        await other.execute(SET_REASON, "committed")
        with pytest.raises(LedgerUnavailable), translate_errors():
            await begun.aclose()
    assert (await own_ledger.row("SELECT status_reason FROM server_records"))[
        "status_reason"
    ] == "committed"


@pytest.mark.fault("R12", heals="the batch is written again")
async def test_killed_postgres_loses_no_rows(own_ledger: Ledger, healing: Healing) -> None:
    outbox, uids = Outbox(), [fresh_uid() for _ in range(3000)]
    for uid in uids:
        outbox.put(a_server(uid=uid))
    async with own_ledger.writing(outbox):
        await assert_eventually(lambda: 0 < len(outbox) < len(uids), interval=0.005)
        own_ledger.server.kill()
        own_ledger.server.start()
        with healing():
            await wait_until_empty(outbox)
    rows = await own_ledger.rows("SELECT server_uuid::text AS uid FROM server_records")
    assert {row["uid"] for row in rows} == set(uids)


async def test_killed_writer_leaves_no_partial_batch(own_ledger: Ledger) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from roadstead.ledger.outbox import Outbox\n"
        "from roadstead.ledger.writer import LedgerWriter\n"
        "from tests.support.builders.records import a_server, fresh_uid\n"
        "outbox = Outbox()\n"
        "for _ in range(20000): outbox.put(a_server(uid=fresh_uid()))\n"
        "asyncio.run(LedgerWriter(outbox, Path(sys.argv[1])).run())\n"
    )
    async with own_ledger.connected("owner") as connection:
        await connection.execute(SLOW_WRITES)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, str(own_ledger.dsn_file("writer"))),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    count = "SELECT count(*) AS n FROM server_records"
    await assert_eventually(lambda: some_rows(own_ledger, count), interval=0.01)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    rows = (await own_ledger.row(count))["n"]
    assert rows % 500 == 0
    assert 0 < rows < 20000


@pytest.mark.parametrize("turns", range(20))
async def test_stopped_writer_completes_its_batch(
    ledger: Ledger, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        writer, "FLUSH_SECONDS", 60
    )  # The default may be too short on a busy machine.
    outbox = Outbox()
    async with ledger.writing(outbox):
        outbox.append([an_admission() for _ in range(5)])
        await assert_eventually(lambda: len(outbox) == 0, interval=0.001)
        for _ in range(turns):
            await asyncio.sleep(0.0005)
    assert len(await ledger.rows("SELECT 1 FROM admission_records")) == 5


async def test_refused_row_does_not_delay_others(ledger: Ledger) -> None:
    outbox = Outbox()
    outbox.append([an_admission(), an_admission(decided_at="no time"), an_admission()])
    dropped = sample("roadstead_ledger_dropped_total", table="admission_records")
    async with ledger.writing(outbox):
        await wait_until_empty(outbox)
    assert len(await ledger.rows("SELECT 1 FROM admission_records")) == 2
    assert sample("roadstead_ledger_dropped_total", table="admission_records") == dropped + 1


@pytest.mark.fault("R12", heals="what waited is written once the rights are back")
async def test_temporarily_missing_rights_lose_no_rows(
    own_ledger: Ledger, healing: Healing
) -> None:
    outbox = Outbox()
    async with own_ledger.connected("owner") as connection:
        await connection.execute("REVOKE INSERT ON admission_records FROM roadstead_writer")
        outbox.append([an_admission() for _ in range(5)])
        async with own_ledger.writing(outbox):
            await assert_eventually(lambda: sample_failures("InsufficientPrivilegeError") > 0)
            await connection.execute("GRANT INSERT ON admission_records TO roadstead_writer")
            with healing():
                await wait_until_empty(outbox)
    assert len(await own_ledger.rows("SELECT 1 FROM admission_records")) == 5


async def test_changed_password_is_read_again(own_ledger: Ledger) -> None:
    outbox = Outbox()
    async with own_ledger.writing(outbox):
        outbox.put(a_server(version=1))
        await wait_until_empty(outbox)
        async with superuser(own_ledger) as connection:
            await connection.execute("ALTER ROLE roadstead_writer PASSWORD 'another'")
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = 'roadstead_writer'"
            )
        passwords = dict(own_ledger.server.passwords)
        outbox.put(a_server(version=2))
        await assert_eventually(lambda: sample_failures("InvalidPasswordError") > 0)
        own_ledger.server.passwords = {**passwords, "writer": "another"}
        own_ledger.dsn_file("writer")
        await wait_until_empty(outbox)
    assert (await own_ledger.row("SELECT resource_version FROM server_records")) == {
        "resource_version": 2
    }


async def test_connecting_to_silent_server_times_out(tmp_path: Path) -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    file = tmp_path / "dsn"
    file.write_text(f"postgresql://a:b@127.0.0.1:{port}/roadstead")
    with pytest.raises(LedgerUnavailable, match="does not answer"):
        async with connected(file):
            pass
    server.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "can't be read", id="missing"),
        pytest.param("mysql://user:hunter2@db/x", "the DSN is not a URL: write", id="other-scheme"),
    ],
)
async def test_unusable_dsn_is_not_quoted(tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "dsn"
    if text is not None:
        file.write_text(text)
    with pytest.raises(LedgerError, match=message) as refused:
        async with connected(file):
            pass
    assert "hunter2" not in str(refused.value)


async def test_resync_returns_missing_and_outdated_records(ledger: Ledger) -> None:
    known, late, missing = fresh_uid(), fresh_uid(), fresh_uid()
    await ledger.write(a_server(uid=known), a_server(uid=late, version=1))
    desired = [a_server(uid=known), a_server(uid=late, version=2), a_server(uid=missing)]
    async with ledger.connected("writer") as connection:
        found = await resync(connection, SERVERS, desired, gone_at=lambda _: 50)
    assert [record.resource_version for record in found] == [2, 10]


async def test_resync_marks_deleted_objects(ledger: Ledger) -> None:
    await ledger.write(a_server(version=10))
    async with ledger.connected("writer") as connection:
        await resync(connection, SERVERS, [], gone_at=lambda _: 50)
    assert (await ledger.row(STATUSES))["status"] == "Deleted"


async def test_resync_does_not_mark_newer_rows(ledger: Ledger) -> None:
    await ledger.write(a_server(version=60))
    async with ledger.connected("writer") as connection:
        await resync(connection, SERVERS, [], gone_at=lambda _: 50)
    assert (await ledger.row(STATUSES))["status"] == "Ready"


async def test_resync_marks_rows_up_to_the_known_deletion(ledger: Ledger) -> None:
    seen, unseen = fresh_uid(), fresh_uid()
    await ledger.write(a_server(uid=seen, version=60), a_server(uid=unseen, version=60))
    async with ledger.connected("writer") as connection:
        await resync(connection, SERVERS, [], gone_at=lambda uid: 70 if uid == seen else 50)
    ended = (
        "SELECT server_uuid::text, resource_version FROM server_records WHERE status = 'Deleted'"
    )
    assert await ledger.rows(ended) == [{"server_uuid": seen, "resource_version": 70}]


async def test_database_of_another_cluster_is_not_written(ledger: Ledger) -> None:
    ours, theirs = fresh_uid(), fresh_uid()
    outbox = Outbox()
    async with ledger.connected("writer") as connection:
        await claim_database(connection, theirs)

    async def begin(connection: asyncpg.Connection) -> None:
        await claim_database(connection, ours)

    outbox.put(a_server())
    async with ledger.writing(outbox, begin):
        await assert_eventually(lambda: sample_failures("OtherCluster") > 0)
    assert await ledger.rows(STATUSES) == []


async def test_cancelling_close_closes_the_connection(ledger: Ledger) -> None:
    async with ledger.connected("writer") as connection:
        closing = asyncio.create_task(close(connection))
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled()
        assert connection.is_closed()


async def test_unknown_status_is_written_as_pending(ledger: Ledger) -> None:
    outbox = Outbox()
    outbox.append([a_sample()])
    outbox.put(a_server(status={"conditions": [ready("Unknown", "Asking", "")]}))
    async with ledger.writing(outbox):
        # The outbox is empty once its rows are taken, which is before they are written.
        await assert_eventually(lambda: ledger.rows(STATUSES))
    assert (await ledger.row(STATUSES))["status"] == "Pending"


@contextlib.asynccontextmanager
async def superuser(ledger: Ledger) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(ledger.server.superuser_dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def some_rows(ledger: Ledger, count: str) -> bool:
    return int((await ledger.row(count))["n"]) > 0


def sample(name: str, **labels: str) -> float:
    """The current value of a metric."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def sample_failures(reason: str) -> float:
    return sample("roadstead_ledger_failures_total", reason=reason)


def failures() -> float:
    """Failed attempts, for any reason."""
    families = REGISTRY.collect()
    found = (f for f in families if f.name == "roadstead_ledger_failures")
    return sum(s.value for f in found for s in f.samples if s.name.endswith("_total"))
