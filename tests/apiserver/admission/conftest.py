"""An API server for these tests, with two webhook servers."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest
from kubernetes.aio import client

from dev.servers import postgres
from dev.servers.apiclient import connect
from dev.servers.apiserver import ApiServer
from tests.apiserver.admission.balancer import Balancer
from tests.support.apiserver import apiserver, build_before_timers
from tests.support.builders.objects import Raw, fresh_name, make_contract
from tests.support.custom_objects import call, create, path
from tests.support.ledger import Ledger, create_ledger
from tests.support.waiting import assert_eventually
from tests.support.webhooks.registration import register
from tests.support.webhooks.tokens import contract_for, dev_token, with_token
from tests.support.webhooks.webhook_process import (
    SYSTEM,
    Folder,
    WebhookProcess,
    prepare,
    running_webhooks,
)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build missing programs before the timers of tests start."""
    build_before_timers(session, Path(__file__).parent, "helm", "toxiproxy")


__all__ = ["apiserver"]


RESTORER = "system:serviceaccount:velero:velero"
LATE_RESTORER = "late-restorer"
RESTORERS = [
    {"serviceAccount": {"namespace": "velero", "name": "velero"}, "until": "2100-01-01T00:00:00Z"},
    {"user": LATE_RESTORER, "until": "2020-01-01T00:00:00+01:00"},
]


class MakeToken(Protocol):
    """Creates a valid token, except for the given claims."""

    def __call__(self, subject: str = "alice", *groups: str, **claims: Any) -> str:
        """Create a token; a claim of None is omitted."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The webhooks' settings."""
    return prepare(tmp_path_factory.mktemp("webhooks"))


@pytest.fixture(scope="package")
def balancer() -> Iterator[Balancer]:
    """Return the address that the API server calls."""
    made = Balancer([])
    yield made
    made.close()


@pytest.fixture(scope="package")
def ledger(folder: Folder) -> Iterator[Ledger]:
    """Start the ledger that the webhooks record answers in."""
    with postgres.running() as server:
        yield asyncio.run(create_ledger(server, folder.path))


@pytest.fixture(scope="package")
def webhooks(
    apiserver: ApiServer, folder: Folder, balancer: Balancer, ledger: Ledger
) -> Iterator[tuple[WebhookProcess, ...]]:
    """Start two registered servers; the API server's connections alternate between them."""
    environ = {
        "ROADSTEAD_LEDGER_DSN_FILE": str(ledger.dsn_file("writer")),
        "ROADSTEAD_RESTORERS": json.dumps(RESTORERS),
    }
    with (
        running_webhooks(apiserver, folder, name="a", **environ) as one,
        running_webhooks(apiserver, folder, name="b", **environ) as other,
    ):
        balancer.ports[:] = [one.port, other.port]
        made = one, other
        asyncio.run(_registered(apiserver, balancer.port, folder, made))
        yield made


async def _registered(
    server: ApiServer, port: int, folder: Folder, made: tuple[WebhookProcess, ...]
) -> None:
    async with connect(server) as api:
        await call(api, "POST", "/api/v1/namespaces", {"metadata": {"name": SYSTEM}})
        await register(api, port, folder)

        async def refused() -> bool:
            """Return whether the API server has the configurations from its watch."""
            try:
                await create(api, make_contract(name=fresh_name("probe")))
            except client.ApiException as error:
                return "TokenMissing" in str(error.body)
            return False

        agreed = with_token(contract_for("nowhere"), dev_token(folder, "root", "roadstead-admins"))

        async def judged() -> bool:
            """Return whether the API server calls both webhooks."""
            await call(api, "POST", f"{path(agreed, named=False)}?dryRun=All", agreed)
            return any('webhook="validating"' in each.metrics() for each in made)

        await assert_eventually(refused)
        await assert_eventually(judged)


@pytest.fixture
async def https(
    folder: Folder, webhooks: tuple[WebhookProcess, ...]
) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client that calls the first server directly, as any pod can."""
    trust = ssl.create_default_context(cadata=folder.ca.decode())
    base = f"https://127.0.0.1:{webhooks[0].port}"
    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(base, connector=connector) as session:
        yield session
    # aiohttp closes TLS connections after its session.
    await asyncio.sleep(0.25)


@pytest.fixture
def token(folder: Folder) -> MakeToken:
    """Return a function that creates tokens of the first issuer."""

    def make(subject: str = "alice", *groups: str, **claims: Any) -> str:
        return dev_token(folder, subject, *groups, **claims)

    return make


@pytest.fixture
def admin(token: MakeToken) -> str:
    """Return the token of an administrator."""
    return token("root", "roadstead-admins")


@pytest.fixture(autouse=True)
def _served(webhooks: tuple[WebhookProcess, ...]) -> None:
    """Start the webhooks for every test."""


@pytest.fixture
async def contract(api: client.ApiClient, namespace: str, admin: str) -> Raw:
    """Create a contract for group `demo-users` in the test's namespace, without limits."""
    return await create(api, with_token(contract_for(namespace), admin))
