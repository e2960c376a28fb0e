"""Real servers for the session, and a namespace with an operator's surroundings for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from kubernetes.aio import client

from dev.servers import postgres, toxiproxy
from dev.servers.apiserver import ApiServer
from dev.servers.toxiproxy import Toxiproxy
from tests.faults.way import Way, leading
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
    """Build what the cache lacks before any test's timer runs: the first time takes minutes."""
    build_before_timers(session, Path(__file__).parent, *PROGRAMS, "minio", "toxiproxy")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The source's and the store's side."""
    folder = tmp_path_factory.mktemp("faults")
    with running_site(folder) as found:
        yield found


@pytest.fixture(scope="session")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toxiproxy]:
    """Toxiproxy, to be put between any two parts."""
    with toxiproxy.running(tmp_path_factory.mktemp("toxiproxy")) as server:
        yield server


@pytest.fixture(scope="session")
def database() -> Iterator[postgres.Postgres]:
    """The session's Postgres."""
    with postgres.running() as server:
        yield server


@pytest.fixture
async def ledger(database: postgres.Postgres, tmp_path: Path) -> Ledger:
    """A ledger without a row."""
    return await create_ledger(database, tmp_path)


@pytest.fixture
async def operated(
    apiserver: ApiServer, servers: Site, api: client.ApiClient, namespace: str
) -> AsyncIterator[Operated]:
    """A namespace to work in, with the catalogue empty before and after."""
    await delete_all(api)
    yield Operated(site=servers, api=api, namespace=namespace, kubeconfig=apiserver.kubeconfig)
    await delete_all(api)


@pytest.fixture
async def way(
    operated: Operated, apiserver: ApiServer, proxies: Toxiproxy, tmp_path: Path
) -> AsyncIterator[Way]:
    """An operator whose way to the API server can be broken."""
    async with leading(operated, apiserver, proxies, tmp_path) as found:
        yield found
