"""`roadstead ledger migrate`."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Final

from roadstead.errors import LedgerUnavailable
from roadstead.ledger.database import connected
from roadstead.ledger.retention import Retention
from roadstead.ledger.schema import Roles, migrate

logger = logging.getLogger(__name__)

CONNECT_RETRY_SECONDS: Final = 2.0


def run(dsn_file: Path, *, roles: Roles, floor: Retention, wait: float) -> int:
    """Migrate and print the applied migrations; returns the exit code, raises LedgerError."""
    return asyncio.run(_run(dsn_file, roles, floor, wait))


async def _run(dsn_file: Path, roles: Roles, floor: Retention, wait: float) -> int:
    deadline = time.monotonic() + wait
    while True:
        try:
            async with connected(dsn_file) as connection:
                applied = await migrate(connection, roles, floor=floor)
            break
        except LedgerUnavailable as error:
            if time.monotonic() + CONNECT_RETRY_SECONDS > deadline:
                raise
            logger.info("waiting for Postgres: %s", error)
            await asyncio.sleep(CONNECT_RETRY_SECONDS)
    print("\n".join(f"applied {each}" for each in applied) or "nothing to do")
    return 0
