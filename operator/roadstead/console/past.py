"""What the ledger keeps of a server's past: turns of its status, decisions, and use."""

from __future__ import annotations

import datetime
import uuid
from typing import Final

from roadstead.console.ledger import Ledger
from roadstead.console.questions import Row, read_row

POINTS: Final = 240
"""Of one graph, at most."""


async def history(ledger: Ledger, object_uuid: str, *, limit: int = 40) -> list[Row]:
    """The latest turns of an object's status, newest first."""
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
    """What was asked of a server and how it was answered, newest first."""
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
    """What a server used, in steps of equal length: the most memory, the mean of the rest."""
    step = max(datetime.timedelta(seconds=15), (until - since) / POINTS)
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
