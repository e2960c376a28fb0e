"""Servers for the session, and a namespace with an operator's dependencies for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from kubernetes.aio import client

from dev.servers import postgres, toxiproxy
from dev.servers.apiserver import ApiServer
from dev.servers.toxiproxy import Toxiproxy
from tests.faults.way import Way, running_way
from tests.support.apiserver import (
    PROGRAMS,
    api,
    apiserver,
    binaries,
    build_before_timers,
    namespace,
)
from tests.support.ledger import Ledger, create_ledger
from tests.support.operator.namespace import Operated, delete_all
from tests.support.operator.site import Site, running_site

__all__ = ["api", "apiserver", "binaries", "namespace"]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the cache lacks before test timeouts run: the first build takes minutes."""
    build_before_timers(session, Path(__file__).parent, *PROGRAMS, "minio", "toxiproxy")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A source and a store."""
    folder = tmp_path_factory.mktemp("faults")
    with running_site(folder) as found:
        yield found


@pytest.fixture(scope="session")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toxiproxy]:
    """Toxiproxy, for links between any two processes."""
    with toxiproxy.running(tmp_path_factory.mktemp("toxiproxy")) as server:
        yield server


@pytest.fixture(scope="session")
def database() -> Iterator[postgres.Postgres]:
    """The session's Postgres."""
    with postgres.running() as server:
        yield server


@pytest.fixture
async def ledger(database: postgres.Postgres, tmp_path: Path) -> Ledger:
    """A ledger with empty tables."""
    return await create_ledger(database, tmp_path)


@pytest.fixture
async def operated(
    apiserver: ApiServer, servers: Site, api: client.ApiClient, namespace: str
) -> AsyncIterator[Operated]:
    """A namespace for one test; Models and ModelServes are deleted before and after."""
    await delete_all(api)
    yield Operated(site=servers, api=api, namespace=namespace, kubeconfig=apiserver.kubeconfig)
    await delete_all(api)


@pytest.fixture
async def way(
    operated: Operated, apiserver: ApiServer, proxies: Toxiproxy, tmp_path: Path
) -> AsyncIterator[Way]:
    """An operator whose connection to the API server can be broken."""
    async with running_way(operated, apiserver, proxies, tmp_path) as found:
        yield found
