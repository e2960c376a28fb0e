"""A forward auth for the session, and a server in a namespace for each test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
from kubernetes.aio import client

from dev.console.tokens import make_token
from dev.servers.apiserver import ApiServer
from tests.support.forwardauth.auth_process import (
    SYSTEM,
    AuthProcess,
    Folder,
    Gateway,
    prepare,
    running_auth,
)
from tests.support.forwardauth.permitted_server import Site, make_site, make_system
from tests.support.waiting import assert_eventually


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The settings."""
    return prepare(tmp_path_factory.mktemp("forward-auth"))


@pytest.fixture(scope="package")
def auth(apiserver: ApiServer, folder: Folder) -> Iterator[AuthProcess]:
    """Start forward auth for the session."""
    asyncio.run(make_system(apiserver))
    with running_auth(apiserver, folder, name="session") as running:
        yield running


@pytest.fixture
async def site(auth: AuthProcess, api: client.ApiClient, namespace: str) -> Site:
    """Create a server that alice may use, once forward auth has it in its cache."""
    made = await make_site(api, namespace)
    await assert_eventually(lambda: auth.status(made.uuid, make_token()) == 200)
    return made


@pytest.fixture
def gateway(auth: AuthProcess) -> Iterator[Gateway]:
    """Open a connection to forward auth."""
    with contextlib.closing(Gateway(auth.port)) as opened:
        yield opened


@pytest.fixture
async def system(api: client.ApiClient) -> AsyncIterator[client.CoreV1Api]:
    """Return a client for the ConfigMap of revocations, which is deleted afterwards."""
    core = client.CoreV1Api(api)
    yield core
    await core.delete_collection_namespaced_config_map(SYSTEM)
