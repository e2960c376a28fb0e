"""`roadstead ledger migrate` and `roadstead ledger verify`."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from roadstead.api.raw import Raw
from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.controllers.ledger_feed import INDEXES, KINDS, LedgerFeed, exact_now
from roadstead.errors import LedgerUnavailable
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.lists import refresh
from roadstead.kube.resources import PODS, Resource
from roadstead.kube.watch_cache import WatchCache
from roadstead.ledger.comparison import differences
from roadstead.ledger.database import connected, translate_errors
from roadstead.ledger.outbox import Outbox
from roadstead.ledger.retention import Retention
from roadstead.ledger.schema import Roles, migrate
from roadstead.ledger.tables import live_rows_sql
from roadstead.watching.watched_kinds import WATCHED

logger = logging.getLogger(__name__)

CONNECT_RETRY_SECONDS: Final = 2.0
VERIFY_POLL_SECONDS: Final = 1.0


def run_migration(
    dsn_file: Path, authorities: Authorities, *, roles: Roles, floor: Retention, wait: float
) -> int:
    """Migrate and print the applied migrations; returns the exit code, raises LedgerError."""
    return asyncio.run(_migrate(dsn_file, authorities, roles, floor, wait))


async def _migrate(
    dsn_file: Path, authorities: Authorities, roles: Roles, floor: Retention, wait: float
) -> int:
    deadline = time.monotonic() + wait
    while True:
        try:
            async with connected(dsn_file, authorities) as connection:
                applied = await migrate(connection, roles, floor=floor)
            break
        except LedgerUnavailable as error:
            if time.monotonic() + CONNECT_RETRY_SECONDS > deadline:
                raise
            logger.info("waiting for Postgres: %s", error)
            await asyncio.sleep(CONNECT_RETRY_SECONDS)
    print("\n".join(f"applied {each}" for each in applied) or "nothing to do")
    return 0


def run_verification(
    dsn_file: Path, authorities: Authorities, *, kubeconfig: str | None, wait: float
) -> int:
    """Print the differences that remain after `wait` seconds; returns 1 if there are any.

    Raises LedgerUnavailable if Postgres does not answer within that time.
    """
    return asyncio.run(_verify(dsn_file, authorities, kubeconfig, wait))


async def _verify(
    dsn_file: Path, authorities: Authorities, kubeconfig: str | None, wait: float
) -> int:
    client = await KubeClient.connect(kubeconfig)
    deadline = time.monotonic() + wait
    try:
        while True:
            last = time.monotonic() + VERIFY_POLL_SECONDS > deadline
            try:
                found = await compare(client, dsn_file, authorities)
                if not found or last:
                    break
            except LedgerUnavailable:
                if last:
                    raise
            await asyncio.sleep(VERIFY_POLL_SECONDS)
    finally:
        await client.close()
    for line in found:
        print(line)
    return 1 if found else 0


async def compare(
    client: KubeClient, dsn_file: Path, authorities: Authorities = SYSTEM_AUTHORITIES
) -> list[str]:
    """A line for each difference; the cluster is listed first, so it may be slightly older."""
    cache = WatchCache(INDEXES)
    for resource in (*KINDS, PODS):
        await refresh(client, cache, resource, selector=WATCHED[resource])
    feed = LedgerFeed(cache, Outbox(), now=exact_now)
    stored = await _read_rows(dsn_file, authorities)
    return list(_differences(feed, stored))


def _differences(feed: LedgerFeed, stored: Mapping[Resource, Mapping[str, Raw]]) -> Iterator[str]:
    for resource in KINDS:
        yield from differences(feed.records(resource), stored[resource], kind=resource.kind)


async def _read_rows(dsn_file: Path, authorities: Authorities) -> dict[Resource, dict[str, Raw]]:
    found = {}
    async with connected(dsn_file, authorities) as connection:
        for resource, table in KINDS.items():
            with translate_errors():
                rows = await connection.fetch(live_rows_sql(table))
            found[resource] = {row["key"]: json.loads(row["row"]) for row in rows}
    return found
