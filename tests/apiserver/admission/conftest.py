"""An API server of these tests' own, which asks two webhook servers about everything."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import jwt
import pytest
from kubernetes.aio import client

from dev.binaries import ensure
from dev.servers import postgres
from dev.servers.apiclient import connect, install_crds
from dev.servers.apiserver import ApiServer, running
from tests.adapters.ledger.site import Ledger, migrated
from tests.apiserver.admission.registration import register
from tests.apiserver.admission.webhook_process import (
    AUDIENCE,
    DEV_ISSUER,
    SYSTEM,
    Balancer,
    Folder,
    WebhookProcess,
    prepare,
    running_webhooks,
)
from tests.apiserver.custom_objects import call, create
from tests.apiserver.eventually import eventually
from tests.apiserver.objects import Raw, fresh_name, make_contract

TOKEN = "model.example.com/auth-token"
RECEIPT = "model.example.com/receipt"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the cache lacks before any test's timer runs."""
    here = Path(__file__).parent
    if any(here in item.path.parents for item in session.items):
        ensure("helm", "toxiproxy")


class MakeToken(Protocol):
    """Makes a token that holds, but for what is said."""

    def __call__(self, subject: str = "alice", *groups: str, **claims: Any) -> str:
        """A claim of None is left out."""


@pytest.fixture(scope="session")
def apiserver(
    binaries: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """An API server whose webhooks do not get in other tests' way."""
    with running(binaries, tmp_path_factory.mktemp("admission-apiserver")) as server:
        asyncio.run(install_crds(server))
        yield server


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The webhooks' settings."""
    return prepare(tmp_path_factory.mktemp("webhooks"))


@pytest.fixture(scope="session")
def balancer() -> Iterator[Balancer]:
    """The address that the API server knows."""
    made = Balancer([])
    yield made
    made.close()


@pytest.fixture(scope="session")
def ledger(folder: Folder) -> Iterator[Ledger]:
    """Where the webhooks record what they answer."""
    with postgres.running() as server:
        yield asyncio.run(migrated(server, folder.path))


@pytest.fixture(scope="session")
def webhooks(
    apiserver: ApiServer, folder: Folder, balancer: Balancer, ledger: Ledger
) -> Iterator[tuple[WebhookProcess, ...]]:
    """Two servers, registered; the API server's connections alternate between them."""
    dsn = str(ledger.dsn_file("writer"))
    with (
        running_webhooks(apiserver, folder, name="a", ROADSTEAD_LEDGER_DSN_FILE=dsn) as one,
        running_webhooks(apiserver, folder, name="b", ROADSTEAD_LEDGER_DSN_FILE=dsn) as other,
    ):
        balancer.ports[:] = [one.port, other.port]
        asyncio.run(_registered(apiserver, balancer.port, folder))
        yield one, other


async def _registered(server: ApiServer, port: int, folder: Folder) -> None:
    async with connect(server) as api:
        await call(api, "POST", "/api/v1/namespaces", {"metadata": {"name": SYSTEM}})
        await register(api, port, folder.ca)

        async def refused() -> bool:
            """The API server learns of its webhooks by a watch of its own."""
            try:
                await create(api, make_contract(name=fresh_name("probe")))
            except client.ApiException as error:
                return "TokenMissing" in str(error.body)
            return False

        await eventually(refused)


@pytest.fixture
def token(folder: Folder) -> MakeToken:
    """Makes tokens of the first issuer."""

    def make(subject: str = "alice", *groups: str, **claims: Any) -> str:
        return dev_token(folder, subject, *groups, **claims)

    return make


@pytest.fixture
def admin(token: MakeToken) -> str:
    """The token of somebody who may change contracts."""
    return token("root", "roadstead-admins")


@pytest.fixture(autouse=True)
def _served(webhooks: tuple[WebhookProcess, ...]) -> None:
    """Every test here is about them."""


@pytest.fixture
async def contract(api: client.ApiClient, namespace: str, admin: str) -> Raw:
    """A contract for group `demo-users` in the test's namespace, without limits."""
    return await create(api, with_token(contract_for(namespace), admin))


def contract_for(namespace: str, *, name: str = "", **spec: Any) -> Raw:
    """A contract for group `demo-users`."""
    return make_contract(name=name, **{"namespaces": {"names": [namespace]}, **spec})


def with_token(body: Raw, token: str) -> Raw:
    """The object with the token where it belongs."""
    return with_annotations(body, {TOKEN: token})


def with_annotations(body: Raw, annotations: dict[str, str]) -> Raw:
    """The object with more annotations."""
    meta = body["metadata"]
    kept = {**(meta.get("annotations") or {}), **annotations}
    return {**body, "metadata": {**meta, "annotations": kept}}


def dev_token(folder: Folder, subject: str = "alice", *groups: str, **claims: Any) -> str:
    """A token of `DEV_ISSUER` for `groups`, or for `demo-users`, that holds for ten minutes."""
    now = int(datetime.datetime.now(datetime.UTC).timestamp())
    values = {
        "iss": DEV_ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "groups": list(groups) or ["demo-users"],
        "iat": now,
        "exp": now + 600,
        **claims,
    }
    kept = {key: value for key, value in values.items() if value is not None}
    return jwt.encode(kept, folder.secret, algorithm="HS256")


def message(error: client.ApiException) -> str:
    """What the API server said."""
    return str(json.loads(error.body or "{}")["message"])
