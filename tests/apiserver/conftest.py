"""A real API server for the session, with Roadstead's CRDs installed."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from kubernetes.aio import client

from dev.binaries import ensure
from dev.servers.apiclient import connect, install_crds
from dev.servers.apiserver import ApiServer, running
from tests.apiserver.objects import fresh_name

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]


PROGRAMS = ("etcd", "kube-apiserver", "kubectl")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the cache lacks before any test's timer runs: the first time takes minutes."""
    here = Path(__file__).parent
    if any(here in item.path.parents for item in session.items):
        ensure(*PROGRAMS)


@pytest.fixture(scope="session")
def binaries() -> dict[str, Path]:
    """Where etcd, kube-apiserver and kubectl stand."""
    return ensure(*PROGRAMS)


@pytest.fixture(scope="session")
def apiserver(
    binaries: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """The API server, with the CRDs established."""
    with running(binaries, tmp_path_factory.mktemp("apiserver")) as server:
        asyncio.run(install_crds(server))
        yield server


@pytest.fixture
def kubeconfig(apiserver: ApiServer) -> Path:
    """An administrator's kubeconfig."""
    return apiserver.kubeconfig


@pytest.fixture
async def api(apiserver: ApiServer) -> AsyncIterator[client.ApiClient]:
    """An administrator's client."""
    async with connect(apiserver) as connected:
        yield connected


@pytest.fixture
async def namespace(api: client.ApiClient) -> str:
    """A namespace of the test's own. It stays: nothing here deletes what is in one."""
    return await fresh_namespace(api, "test")


@pytest.fixture
def kubectl(binaries: dict[str, Path], apiserver: ApiServer, tmp_path: Path) -> Kubectl:
    """Runs kubectl as administrator and returns what it printed; `manifest` is its stdin."""

    def run(*arguments: str, manifest: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [binaries["kubectl"], f"--kubeconfig={apiserver.kubeconfig}", *arguments],
            input=manifest,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            # A home of its own: kubectl keeps what it discovers in ~/.kube/cache.
            env={**os.environ, "HOME": str(tmp_path)},
        )

    return run


async def fresh_namespace(api: client.ApiClient, prefix: str) -> str:
    """Make one, with a name of its own."""
    name = fresh_name(prefix)
    body = client.V1Namespace(metadata=client.V1ObjectMeta(name=name))
    await client.CoreV1Api(api).create_namespace(body)
    return name
