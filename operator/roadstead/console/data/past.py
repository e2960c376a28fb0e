"""Queries of a server's history: status changes, admission decisions and usage."""

from __future__ import annotations

import datetime
import uuid
from typing import Final

from roadstead.console.data.ledger import Ledger
from roadstead.console.data.questions import Row, read_row

MAX_POINTS: Final = 240
"""The most points of one graph."""


async def history(ledger: Ledger, object_uuid: str, *, limit: int = 40) -> list[Row]:
    """Return the latest status changes of an object, newest first."""
    rows = await ledger.fetch(
        "SELECT at, status, status_reason, status_message FROM status_history"
        " WHERE object_uuid = $1 ORDER BY at DESC LIMIT $2",
        uuid.UUID(object_uuid),
        limit,
    )
    return [read_row(each) for each in rows]


async def admissions(
    ledger: Ledger, namespace: str, name: str, *, since: datetime.datetime, limit: int = 20
) -> list[Row]:
    """Return the admission decisions on a server, newest first."""
    rows = await ledger.fetch(
        "SELECT decided_at AS at, allowed, reason, message, operation, subject, contract"
        " FROM admission_records WHERE kind = 'ModelServe' AND namespace = $1 AND name = $2"
        " AND decided_at >= $3 ORDER BY decided_at DESC LIMIT $4",
        namespace,
        name,
        since,
        limit,
    )
    return [read_row(each) for each in rows]


async def usage(
    ledger: Ledger, server_uuid: str, *, since: datetime.datetime, until: datetime.datetime
) -> list[Row]:
    """Return the usage of a server in equal steps: maximum of memory, mean of other values."""
    step = max(datetime.timedelta(seconds=15), (until - since) / MAX_POINTS)
    rows = await ledger.fetch(
        "SELECT date_bin($4, sampled_at, $2) AS at, max(memory_current_mb) AS memory_current_mb,"
        " max(memory_max_mb) AS memory_max_mb, avg(cpu_usage_percent) AS cpu_usage_percent,"
        " avg(tokens_per_second) AS tokens_per_second FROM usage_samples"
        " WHERE server_uuid = $1 AND sampled_at >= $2 AND sampled_at < $3 GROUP BY 1 ORDER BY 1",
        uuid.UUID(server_uuid),
        since,
        until,
        step,
    )
    return [read_row(each) for each in rows]
