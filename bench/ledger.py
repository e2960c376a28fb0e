"""The cost of the ledger: status changes and usage samples of servers, written in batches by the
operator's own writer, and for comparison with a statement for each change over a pool.

Postgres and the writer share the machine; the changes are generated in the writer's process.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import datetime
import json
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg

from bench.measure import cpu_seconds
from dev.servers import postgres
from dev.servers.postgres import Postgres
from dev.terminal import echo
from roadstead.api.modelserve import ModelServe
from roadstead.ledger.outbox import Batch, Outbox
from roadstead.ledger.records import Record, UsageRecord, row
from roadstead.ledger.row_projection import PodsView, server_record
from roadstead.ledger.schema import Roles, migrate
from roadstead.ledger.tables import TABLES
from roadstead.ledger.writer import LedgerWriter

CHANGE_SECONDS: Final = 60.0
"""Interval of a server's status changes."""
SAMPLE_SECONDS: Final = 15.0
"""Interval of a server's samples; in the worst case each differs from the last."""
POOL: Final = 10
DAY: Final = 86400.0
STEADY_PER_DAY: Final = 144
"""Samples of an idle server: one in ten minutes."""
SPACE: Final = ("status_history", "usage_samples")

Put = Callable[[Record], Awaitable[None]]
Figures = dict[str, float]


def main(arguments: Sequence[str]) -> int:
    """Always 0: the figures have no goal."""
    parser = argparse.ArgumentParser(prog="dev/bench ledger", description=__doc__)
    parser.add_argument("--servers", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=60, help="of each way of writing")
    parser.add_argument("--output", type=Path, default=Path("bench-ledger.json"))
    options = parser.parse_args(arguments)
    found: dict[str, Any] = {"servers": options.servers, "seconds": options.seconds}
    for name, way in (("batches", in_batches), ("statements", one_by_one)):
        with staged() as (server, folder):
            found[name] = asyncio.run(
                measured(server, folder, way, options.servers, options.seconds)
            )
    options.output.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))
    echo(f"written to {options.output}")
    return 0


@contextlib.contextmanager
def staged() -> Iterator[tuple[Postgres, Path]]:
    """A Postgres with empty tables."""
    with postgres.running() as server, tempfile.TemporaryDirectory() as name:
        asyncio.run(_migrate(server))
        yield server, Path(name)


async def _migrate(server: Postgres) -> None:
    connection = await asyncpg.connect(server.dsn("owner"))
    await migrate(connection, Roles(writer="roadstead_writer", reader="roadstead_reader"))
    await connection.execute("SELECT keep_partitions(90, 35, 90)")
    await connection.close()


@dataclasses.dataclass
class Load:
    """Servers whose changes are due at different times."""

    count: int

    def __post_init__(self) -> None:
        self.uids = [str(uuid.uuid4()) for _ in range(self.count)]
        self.version = 0

    def state(self, place: int) -> Record:
        """A server's next status."""
        self.version += 1
        reason = ("Loading", "Ready")[self.version % 2]
        return server_record(
            ModelServe.parse(_serve(self.uids[place], self.version, reason)),
            model_name="",
            pods=PodsView(names=["gemma-5b59d69488-j8pmw"], version=1),
            now=_now(),
        )

    def sample(self, place: int) -> Record:
        """A server's current usage."""
        return UsageRecord(
            server_uuid=self.uids[place],
            sampled_at=_now(),
            memory_current_mb=500.0 + self.version % 97,
            memory_max_mb=700.0,
            cpu_usage_percent=float(self.version % 89),
            tokens_per_second=12.5,
            requests_processing=1,
            requests_deferred=0,
        )


async def measured(
    server: Postgres,
    folder: Path,
    way: Callable[[Postgres, Path, list[float]], "contextlib.AbstractAsyncContextManager[Put]"],
    servers: int,
    seconds: int,
) -> Figures:
    """One way of writing: CPU, connections, lag, and the size of rows."""
    load, lags = Load(servers), list[float]()
    async with way(server, folder, lags) as put:
        for place in range(servers):
            await put(load.state(place))
        await asyncio.sleep(5)
        lags.clear()
        before, started = _cpu(server), time.monotonic()
        await generate(load, put, seconds)
        connections = await _connections(server)
        await asyncio.sleep(2)
        lasted = time.monotonic() - started
        ours, theirs = (b - a for a, b in zip(before, _cpu(server), strict=True))
    ordered = sorted(lags)
    return {
        "rowsPerSecond": len(lags) / lasted,
        "ownCpuPercent": 100 * ours / lasted,
        "postgresCpuPercent": 100 * theirs / lasted,
        "connections": connections,
        "lagP50Ms": 1000 * statistics.median(ordered),
        "lagP99Ms": 1000 * ordered[int(len(ordered) * 0.99)],
        **await _space(server),
    }


async def generate(load: Load, put: Put, seconds: int) -> None:
    """One change per server and CHANGE_SECONDS, one sample per SAMPLE_SECONDS, evenly spread."""
    step, started = 0.05, time.monotonic()
    changed = sampled = 0
    while (passed := time.monotonic() - started) < seconds:
        while changed < passed * load.count / CHANGE_SECONDS:
            await put(load.state(changed % load.count))
            changed += 1
        while sampled < passed * load.count / SAMPLE_SECONDS:
            await put(load.sample(sampled % load.count))
            sampled += 1
        await asyncio.sleep(step)


class _Watched(Outbox):
    """Measures lags: the writer takes the next batch once the last one is written."""

    def __init__(self, lags: list[float]) -> None:
        super().__init__()
        self._lags = lags
        self._held: Batch = []

    def take(self, limit: int) -> Batch:
        now = time.monotonic()
        self._lags += [now - each.since for each in self._held]
        self._held = super().take(limit)
        return self._held


@contextlib.asynccontextmanager
async def in_batches(server: Postgres, folder: Path, lags: list[float]) -> Any:
    """Write as the operator does."""
    file = folder / "dsn"
    file.write_text(server.dsn("writer"))
    outbox = _Watched(lags)
    task = asyncio.create_task(LedgerWriter(outbox, file).run())

    async def put(record: Record) -> None:
        if isinstance(record, UsageRecord):
            outbox.append([record])
        else:
            outbox.put(record)  # type: ignore[arg-type]  # the load has no admissions

    try:
        yield put
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def one_by_one(server: Postgres, _: Path, lags: list[float]) -> Any:
    """Write each change at once, as a separate statement."""
    pool = await asyncpg.create_pool(server.dsn("writer"), min_size=POOL, max_size=POOL)
    running: set[asyncio.Task[None]] = set()

    async def write(record: Record, since: float) -> None:
        for statement in TABLES[type(record)].statements:
            await pool.execute(statement, json.dumps([row(record)]))
        lags.append(time.monotonic() - since)

    async def put(record: Record) -> None:
        task = asyncio.create_task(write(record, time.monotonic()))
        running.add(task)
        task.add_done_callback(running.discard)

    try:
        yield put
    finally:
        await asyncio.gather(*running)
        await pool.close()


def table(found: dict[str, Any]) -> str:
    """The figures as lines, side by side."""
    one, other = found["batches"], found["statements"]
    lines = [f"{found['servers']} servers, {found['seconds']} s each"]
    lines.append(f"{'':28} {'batches':>10} {'one by one':>11}")
    for key, title in (
        ("rowsPerSecond", "rows a second"),
        ("ownCpuPercent", "own CPU, % of a core"),
        ("postgresCpuPercent", "Postgres' CPU, % of a core"),
        ("connections", "connections"),
        ("lagP50Ms", "lag p50, ms"),
        ("lagP99Ms", "lag p99, ms"),
    ):
        lines.append(f"{title:28} {one[key]:10.1f} {other[key]:11.1f}")
    lines.append(f"bytes of a sample {one['sampleBytes']:.0f}, of a change {one['turnBytes']:.0f}")
    lines.append(
        f"growth per server and day: at rest {one['idleDayBytes'] / 1000:.0f} kB, "
        f"always busy {one['busyDayBytes'] / 1000:.0f} kB"
    )
    return "\n".join(lines)


def _cpu(server: Postgres) -> tuple[float, float]:
    """CPU time of this process and of Postgres, without processes that have exited."""
    times = os.times()
    pids = [server.pid, *postgres.children(server.pid)]
    return times.user + times.system, sum(cpu_seconds(pid) for pid in pids)


async def _connections(server: Postgres) -> float:
    connection = await asyncpg.connect(server.superuser_dsn)
    query = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'roadstead_writer'"
    found = await connection.fetchval(query)
    await connection.close()
    return float(found)


async def _space(server: Postgres) -> Figures:
    """Bytes of a row including its share of the indexes, and the resulting bytes per day."""
    connection = await asyncpg.connect(server.superuser_dsn)
    sizes = {name: await _row_bytes(connection, name) for name in SPACE}
    await connection.close()
    sample, turn = sizes["usage_samples"], sizes["status_history"]
    return {
        "sampleBytes": sample,
        "turnBytes": turn,
        "idleDayBytes": STEADY_PER_DAY * sample,
        "busyDayBytes": DAY / SAMPLE_SECONDS * sample,
    }


async def _row_bytes(connection: asyncpg.Connection, name: str) -> float:
    part = f"{name}_{datetime.datetime.now(datetime.UTC):%Y%m%d}"
    size = await connection.fetchval("SELECT pg_total_relation_size($1::regclass)", part)
    rows = await connection.fetchval(f"SELECT count(*) FROM {part}")  # noqa: S608 - a table of ours
    return float(size) / max(1.0, float(rows))


def _serve(uid: str, version: int, reason: str) -> dict[str, Any]:
    status = "True" if reason == "Ready" else "False"
    parts = ("ContractAccepted", "ModelAvailable", "WorkloadReady", "Routed", "Ready")
    conditions = [
        {
            "type": part,
            "status": status,
            "reason": reason,
            "message": "1 of 1 servers ready",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for part in parts
    ]
    meta = {"name": f"serve-{uid[:8]}", "namespace": "demo", "uid": uid, "generation": 1}
    return {
        "metadata": {**meta, "resourceVersion": str(version), "creationTimestamp": _now()},
        "spec": {
            "modelName": "gemma-3-270m",
            "replicas": 1,
            "runtimeParams": {"contextSize": 2048, "threads": 1},
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        },
        "status": {"conditions": conditions, "replicas": 1, "readyReplicas": 1},
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()
