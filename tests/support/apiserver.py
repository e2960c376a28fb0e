"""Fixtures of a real API server with Roadstead's CRDs, and of a namespace in it.

A conftest imports those that it wants. Each conftest that imports `apiserver` gets an API server
that no other folder's tests write to, and that ends with them.
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

PROGRAMS = ("etcd", "kube-apiserver", "kubectl")


def build_before_timers(session: pytest.Session, folder: Path, *programs: str) -> None:
    """Build what the cache lacks, if a test below `folder` was collected.

    For `pytest_collection_finish`: a build takes minutes, and no test's timer runs yet.
    """
    if any(folder in item.path.parents for item in session.items):
        ensure(*programs)


@pytest.fixture(scope="session")
def binaries() -> dict[str, Path]:
    """The paths of etcd, kube-apiserver and kubectl."""
    return ensure(*PROGRAMS)


@pytest.fixture(scope="package")
def apiserver(
    binaries: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """An API server with the CRDs, whose audit log has every write."""
    with running(binaries, tmp_path_factory.mktemp("apiserver")) as server:
        asyncio.run(install_crds(server))
        yield server


@pytest.fixture
async def api(apiserver: ApiServer) -> AsyncIterator[client.ApiClient]:
    """An administrator's client."""
    async with connect(apiserver) as connected:
        yield connected


@pytest.fixture
async def namespace(api: client.ApiClient) -> str:
    """A namespace of the test's own. It stays: nothing here deletes what is in one."""
    return await fresh_namespace(api, "test")


async def fresh_namespace(api: client.ApiClient, prefix: str) -> str:
    """Create a namespace with a name of its own; the name."""
    name = fresh_name(prefix)
    body = client.V1Namespace(metadata=client.V1ObjectMeta(name=name))
    await client.CoreV1Api(api).create_namespace(body)
    return name
