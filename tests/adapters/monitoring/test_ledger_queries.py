"""Queries of the dashboards and the reference, run by the reader of a real ledger."""

from __future__ import annotations

import datetime
import re
from typing import Any

import asyncpg
import pytest

from tests.support.dashboards import CHECKOUT, Query, filled, queries

SERVER = "00000000-0000-4000-8000-000000000001"
OF_LAST_MONTH = "00000000-0000-4000-8000-000000000003"
VARIABLES = {"namespace": ".*", "contract": ".*", "server": SERVER, "deleted": "false"}
PAGE = (CHECKOUT / "docs" / "reference" / "ledger-queries.md").read_text()
EXAMPLES = re.findall(r"^## (.+?)\n.*?```sql\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL)
OF_DASHBOARDS = [each for each in queries() if each.sql]


def as_sent(query: Query, hours: int = 6, **variables: str) -> str:
    now = datetime.datetime.now(datetime.UTC)
    since = (now - datetime.timedelta(hours=hours)).isoformat()
    return filled(query, {**VARIABLES, **variables}, since=since, until=now.isoformat())


def one(where: str) -> Query:
    (found,) = (query for query in OF_DASHBOARDS if query.where == where)
    return found


@pytest.mark.parametrize("query", OF_DASHBOARDS, ids=lambda query: query.where)
async def test_dashboard_query_returns_rows(ledger: asyncpg.Connection, query: Query) -> None:
    assert await ledger.fetch(as_sent(query))


@pytest.mark.parametrize("sql", [pytest.param(sql, id=title) for title, sql in EXAMPLES])
async def test_example_query_returns_rows(ledger: asyncpg.Connection, sql: str) -> None:
    assert await ledger.fetch(sql)


async def test_graph_has_times_and_numbers(ledger: asyncpg.Connection) -> None:
    for row in await ledger.fetch(as_sent(one("servers: Memory, A"))):
        assert row["time"] > 1e9
        assert row["now"] <= row["max"]


async def test_deleted_servers_are_shown_when_requested(
    ledger: asyncpg.Connection,
) -> None:
    query = one("servers: Servers, A")
    live = {row["name"] for row in await ledger.fetch(as_sent(query))}
    all_of_them = {row["name"] for row in await ledger.fetch(as_sent(query, deleted="true"))}
    assert (live, all_of_them) == ({"chat", "waits"}, {"chat", "waits", "gone"})


async def test_only_the_chosen_namespace_is_shown(ledger: asyncpg.Connection) -> None:
    query = one("servers: Servers, A")
    rows = await ledger.fetch(as_sent(query, namespace="other|demo2", deleted="true"))
    assert {row["namespace"] for row in rows} == {"other"}


async def test_sample_counts_until_the_next_one_for_at_most_ten_minutes(
    ledger: asyncpg.Connection,
) -> None:
    (row,) = await ledger.fetch(as_sent(one("servers: Per server, A")))
    assert float(row["hours"]) == pytest.approx((5 + 10 + 10) / 60, abs=0.001)
    assert float(row["memory_gb_hours"]) == pytest.approx(
        (0.2 * 5 + 0.4 * 10 + 0.4 * 10) / 60, abs=0.001
    )
    assert float(row["cpu_core_hours"]) == pytest.approx((0.5 * 5 + 1 * 10) / 60, abs=0.001)
    assert float(row["tokens"]) == pytest.approx(10 * 600, rel=0.01)


async def test_usage_before_the_time_range_is_not_counted(
    ledger: asyncpg.Connection,
) -> None:
    # Use the samples' times: the rows may have been written earlier.
    first = await ledger.fetchval(
        "SELECT min(sampled_at) FROM usage_samples WHERE server_uuid = $1", SERVER
    )
    since = (first + datetime.timedelta(minutes=10)).isoformat()
    until = datetime.datetime.now(datetime.UTC).isoformat()
    sql = filled(one("servers: Per server, A"), VARIABLES, since=since, until=until)
    (row,) = await ledger.fetch(sql)
    assert float(row["hours"]) == pytest.approx((5 + 10) / 60, abs=0.01)


async def test_last_month_has_rows_per_server_and_sums(ledger: asyncpg.Connection) -> None:
    rows = [dict(row) for row in await ledger.fetch(EXAMPLES[0][1])]
    (server,) = (row for row in rows if str(row["server_uuid"]) == OF_LAST_MONTH)
    assert float(server["hours"]) == 0.5
    assert float(server["memory_gb_hours"]) == pytest.approx((20 + 3 * 10) / 60, abs=0.01)
    assert float(server["cpu_core_hours"]) == 1.0
    sums: list[dict[str, Any]] = [row for row in rows if not row["server_uuid"]]
    # In the first hour of a month, the other servers' samples are of last month too.
    assert {row["namespace"] or row["subject"] or "all" for row in sums} >= {
        "other",
        "alice",
        "all",
    }
