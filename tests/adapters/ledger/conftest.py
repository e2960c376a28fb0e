"""A real Postgres, create_ledger, and empty before each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dev.servers.postgres import Postgres, running
from tests.support.ledger import Ledger, create_ledger


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A server for all tests of the session that don't stop it."""
    with running() as found:
        yield found


@pytest.fixture
async def ledger(server: Postgres, tmp_path: Path) -> Ledger:
    """A migrated, empty ledger."""
    return await create_ledger(server, tmp_path)


@pytest.fixture
async def own_ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger on a separate server, which the test may stop."""
    with running() as server:
        yield await create_ledger(server, tmp_path)
