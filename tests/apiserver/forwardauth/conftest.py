"""A forward auth for the session, and a server in a namespace of each test's own."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator

import pytest
from kubernetes.aio import client

from dev.console.tokens import make_token
from dev.servers.apiclient import connect
from dev.servers.apiserver import ApiServer
from tests.apiserver.custom_objects import call, create
from tests.apiserver.eventually import eventually
from tests.apiserver.forwardauth.auth_process import (
    SYSTEM,
    AuthProcess,
    Folder,
    Gateway,
    prepare,
    running_auth,
)
from tests.apiserver.objects import Raw, make_contract, make_modelserve


@dataclasses.dataclass(frozen=True, kw_only=True)
class Site:
    """A server, and the contract that lets group `demo-users` use it."""

    serve: Raw
    contract: Raw

    @property
    def uuid(self) -> str:
        """The server's."""
        return str(self.serve["metadata"]["uid"])


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The settings."""
    return prepare(tmp_path_factory.mktemp("forward-auth"))


@pytest.fixture(scope="session")
def auth(apiserver: ApiServer, folder: Folder) -> Iterator[AuthProcess]:
    """One that runs as long as the tests do."""
    asyncio.run(make_system(apiserver))
    with running_auth(apiserver, folder, name="session") as running:
        yield running


@pytest.fixture
async def site(auth: AuthProcess, api: client.ApiClient, namespace: str) -> Site:
    """A server that alice may use, as forward auth has seen."""
    made = await make_site(api, namespace)
    await eventually(lambda: auth.status(made.uuid, make_token()) == 200)
    return made


@pytest.fixture
def gateway(auth: AuthProcess) -> Iterator[Gateway]:
    """One connection to it."""
    with contextlib.closing(Gateway(auth.port)) as opened:
        yield opened


@pytest.fixture
async def system(api: client.ApiClient) -> AsyncIterator[client.CoreV1Api]:
    """For the ConfigMap of revocations, which is gone again afterwards."""
    core = client.CoreV1Api(api)
    yield core
    await core.delete_collection_namespaced_config_map(SYSTEM)


async def make_system(server: ApiServer) -> None:
    """The namespace of the installation."""
    async with connect(server) as api:
        with contextlib.suppress(client.ApiException):
            await call(api, "POST", "/api/v1/namespaces", {"metadata": {"name": SYSTEM}})


async def make_site(api: client.ApiClient, namespace: str) -> Site:
    """A server and its contract, stored."""
    contract = await create(api, make_contract(namespaces={"names": [namespace]}))
    name = contract["metadata"]["name"]
    return Site(
        serve=await create(api, make_modelserve(namespace, contract=name)), contract=contract
    )
