"""Fixtures of an API server with Roadstead's CRDs, and of a namespace in it.

A conftest imports those that it uses. Each conftest that imports `apiserver` gets its own API
server, which only tests of its folder use and which is stopped after them.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from kubernetes.aio import client

from dev.binaries import ensure
from dev.servers.apiclient import connect, install_crds
from dev.servers.apiserver import ApiServer, running
from tests.support.builders.objects import fresh_name
from tests.support.oldest_kubernetes import apiserver_of

PROGRAMS = ("etcd", "kube-apiserver", "kubectl")


def build_before_timers(session: pytest.Session, folder: Path, *programs: str) -> None:
    """Build what the cache lacks, if a test below `folder` was collected.

    For `pytest_collection_finish`: a build takes minutes, and test timeouts don't run yet.
    """
    if any(folder in item.path.parents for item in session.items):
        ensure(*programs, apiserver_of(session.config))


@pytest.fixture(scope="session")
def binaries(pytestconfig: pytest.Config) -> dict[str, Path]:
    """The paths of etcd, kube-apiserver (of the version that the run is for) and kubectl."""
    name = apiserver_of(pytestconfig)
    return {**ensure(*PROGRAMS), "kube-apiserver": ensure(name)[name]}


@pytest.fixture(scope="package")
def apiserver(
    binaries: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """An API server with the CRDs, whose audit log contains every write."""
    with running(binaries, tmp_path_factory.mktemp("apiserver")) as server:
        asyncio.run(install_crds(server))
        yield server


@pytest.fixture
async def api(apiserver: ApiServer) -> AsyncIterator[client.ApiClient]:
    """A client with the administrator's rights."""
    async with connect(apiserver) as connected:
        yield connected


@pytest.fixture
async def namespace(api: client.ApiClient) -> str:
    """A namespace for one test. It is not deleted."""
    return await fresh_namespace(api, "test")


async def fresh_namespace(api: client.ApiClient, prefix: str) -> str:
    """Create a namespace with a unique name; returns the name."""
    name = fresh_name(prefix)
    body = client.V1Namespace(metadata=client.V1ObjectMeta(name=name))
    await client.CoreV1Api(api).create_namespace(body)
    return name
