"""Notifies open pages of changed records, by Postgres's LISTEN."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg

from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.console import console_metrics
from roadstead.errors import LedgerError
from roadstead.ledger.database import connected, translate_errors

logger = logging.getLogger(__name__)

CHANNEL: Final = "roadstead_records"
COALESCE_SECONDS: Final = 1.0
"""Time between two messages to one page: a busy ledger notifies at each batch."""
CHECK_SECONDS: Final = 30.0
"""Interval of checks that the connection is alive."""
RETRY_SECONDS: Final = 2.0
TABLES: Final = {
    "server_records": "servers",
    "model_records": "models",
    "contract_records": "contracts",
}


class Listener:
    """The changes since the last message to one open page. Created by `News.subscribe`."""

    __slots__ = ("_changed", "_waiting")

    def __init__(self) -> None:
        self._changed: set[str] = set()
        self._waiting: asyncio.Future[None] | None = None

    def notify(self, what: str) -> None:
        """Record a change of `what` and wake the page."""
        self._changed.add(what)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait(self, seconds: float) -> frozenset[str]:
        """Wait for changes and return them; empty after `seconds` without one."""
        if not self._changed:
            self._waiting = asyncio.get_running_loop().create_future()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._waiting, seconds)
            self._waiting = None
        found = frozenset(self._changed)
        self._changed.clear()
        return found


class News:
    """Listens on one connection for all open pages of the process."""

    def __init__(self, dsn_file: Path, authorities: Authorities = SYSTEM_AUTHORITIES) -> None:
        self._dsn_file = dsn_file
        self._authorities = authorities
        self._listeners: set[Listener] = set()

    def __len__(self) -> int:
        """The number of open pages."""
        return len(self._listeners)

    @contextlib.contextmanager
    def subscribe(self) -> Iterator[Listener]:
        """Notify a page until the end of the block."""
        listener = Listener()
        self._listeners.add(listener)
        console_metrics.OPEN_PAGES.set(len(self._listeners))
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            console_metrics.OPEN_PAGES.set(len(self._listeners))

    async def run(self) -> None:
        """Listen until cancelled; reconnect after errors and notify all pages then."""
        while True:
            try:
                # Not from the pool: LISTEN belongs to a session.
                async with connected(self._dsn_file, self._authorities) as connection:
                    await self._listen(connection)
            except LedgerError as error:
                logger.warning("listening to the ledger failed, retrying: %s", error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self, connection: asyncpg.Connection) -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        with translate_errors():
            await connection.add_listener(CHANNEL, self._on_notification)
        for what in TABLES.values():
            self._notify(what)
        while not lost.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), CHECK_SECONDS)
            with translate_errors():
                await connection.execute("SELECT 1")

    def _on_notification(self, _: object, __: int, ___: str, payload: object) -> None:
        if what := TABLES.get(str(payload)):
            self._notify(what)

    def _notify(self, what: str) -> None:
        for listener in self._listeners:
            listener.notify(what)
