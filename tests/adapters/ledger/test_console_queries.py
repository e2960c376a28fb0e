"""The console's pool of connections while Postgres fails and queries are given up."""

import asyncio

import pytest

from roadstead.console.data import ledger as console
from roadstead.errors import LedgerUnavailable
from tests.support.ledger import Ledger
from tests.support.waiting import assert_eventually


async def test_queries_succeed_again_after_an_outage(own_ledger: Ledger) -> None:
    async with console.Ledger.opened(own_ledger.dsn_file("reader")) as queries:

        async def answers() -> bool:
            try:
                await queries.fetch("SELECT 1")
            except LedgerUnavailable:
                return False
            return True

        async def fails() -> bool:
            return not await answers()

        # All connections of the pool are open when Postgres is killed.
        await asyncio.gather(*(queries.fetch("SELECT 1") for _ in range(console.CONNECTIONS)))
        own_ledger.server.kill()
        await assert_eventually(fails)
        own_ledger.server.start()
        await assert_eventually(answers)


async def test_query_that_was_given_up_is_cancelled_and_its_connection_used_again(
    ledger: Ledger,
) -> None:
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
    async with console.Ledger.opened(ledger.dsn_file("reader")) as queries:
        for _ in range(console.CONNECTIONS + 1):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await queries.fetch("SELECT pg_sleep(60)")
        active = await queries.fetch(f"{sleeping} AND state = 'active'")
    assert [tuple(row) for row in active] == [(0,)]
