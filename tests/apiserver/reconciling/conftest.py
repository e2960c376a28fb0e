"""A source, a store and an API server for this folder, and the operator in this process.

Everything is real: two MinIOs, `roadstead quant`, `roadstead transfer` as the operator starts it.
Only the controllers of Kubernetes itself are missing, so tests write what they would say.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from kubernetes.aio import client

from dev import samplegguf
from tests.support.apiserver import apiserver
from tests.support.fault_server import FaultServer, running_fault_server
from tests.support.operator.namespace import Operated, delete_all
from tests.support.operator.site import LARGE, Site, running_site

__all__ = ["apiserver"]


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A source and a store for all tests."""
    folder = tmp_path_factory.mktemp("reconciling")
    with running_site(folder) as found:
        yield found


@pytest.fixture(scope="module")
def content() -> bytes:
    """A model of several parts."""
    return samplegguf.sample(LARGE)


@pytest.fixture
def slow(content: bytes) -> Iterator[FaultServer]:
    """A slow source, so that a transfer can be interrupted."""
    with running_fault_server(content) as faults:
        faults.slowness = 0.05
        yield faults


@pytest.fixture
async def operated(
    servers: Site, api: client.ApiClient, namespace: str, kubeconfig: Path
) -> AsyncIterator[Operated]:
    """A namespace, with an empty catalogue before and after."""
    await delete_all(api)
    yield Operated(site=servers, api=api, namespace=namespace, kubeconfig=kubeconfig)
    await delete_all(api)
