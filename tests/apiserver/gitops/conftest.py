"""An API server with webhooks that two ServiceAccounts need no token for."""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from kubernetes.aio import client

from dev import binaries
from dev.servers.apiclient import connect
from dev.servers.apiserver import ApiServer
from tests.support.apiserver import apiserver, build_before_timers
from tests.support.builders.objects import Raw, fresh_name, make_contract, make_modelserve
from tests.support.builders.tokens import prefixes
from tests.support.charts import Chart
from tests.support.custom_objects import account_token, call, create, refusal
from tests.support.waiting import assert_eventually
from tests.support.webhooks.registration import register
from tests.support.webhooks.tokens import contract_for, dev_token, with_annotations, with_token
from tests.support.webhooks.webhook_process import (
    AUDIENCE,
    SYSTEM,
    Folder,
    WebhookProcess,
    prepare,
    running_webhooks,
)

__all__ = ["apiserver"]

FLUX = "flux-system"
ACCOUNTS = [
    {"namespace": FLUX, "name": "applier", "groups": ["demo-users", "roadstead-admins"]},
    {"namespace": FLUX, "name": "deployer", "groups": ["others"]},
]
APPLIER, DEPLOYER = (f"system:serviceaccount:{FLUX}:{each['name']}" for each in ACCOUNTS)
"""A GitOps tool, which is a user and an administrator; and one that no contract is for."""
STRANGER = f"system:serviceaccount:{FLUX}:stranger"
"""An account that is not listed; it has the same rights."""
RESTORER = f"system:serviceaccount:{FLUX}:restorer"
"""An account that may create objects from a backup."""
CLUSTER_ISSUER = "https://kubernetes.default.svc"
CLUSTER_PREFIX = "cluster:"
REQUESTED_BY = "model.example.com/requested-by"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_RBAC = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
POLICIES = {
    "ValidatingAdmissionPolicy": f"{_ADMISSION}/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": f"{_ADMISSION}/validatingadmissionpolicybindings",
}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build missing programs before the timers of tests start."""
    build_before_timers(session, Path(__file__).parent, "helm", "fluxapply")


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The webhooks' settings."""
    return prepare(tmp_path_factory.mktemp("gitops"))


@pytest.fixture(scope="package")
def webhooks(apiserver: ApiServer, folder: Folder) -> Iterator[WebhookProcess]:
    """Start the webhooks, registered together with the chart's policy."""
    asyncio.run(_prepare(apiserver, folder))
    environ = {
        "ROADSTEAD_SERVICE_ACCOUNTS": json.dumps(ACCOUNTS),
        "ROADSTEAD_RESTORERS": json.dumps([{"user": RESTORER, "until": "2100-01-01T00:00:00Z"}]),
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(apiserver.port),
        "ROADSTEAD_SERVICE_ACCOUNT_DIR": str(folder.path / "account"),
    }
    with running_webhooks(apiserver, folder, name="gitops", **environ) as started:
        asyncio.run(_start(apiserver, started, folder))
        yield started


async def _start(server: ApiServer, webhooks: WebhookProcess, folder: Folder) -> None:
    async with connect(server) as api:
        await registered(api, webhooks, folder)


async def _prepare(server: ApiServer, folder: Folder) -> None:
    """Create namespaces, accounts and the policy, and trust the cluster's own tokens."""
    async with connect(server) as api:
        for name in (SYSTEM, FLUX):
            await call(api, "POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        for user in (APPLIER, DEPLOYER, STRANGER, RESTORER):
            await _create_account(api, user.rpartition(":")[2])
        chart = Chart(helm=binaries.ensure("helm")["helm"])
        rendered = chart.render({"tokens": {"serviceAccounts": ACCOUNTS}})
        for kind, collection in POLICIES.items():
            await call(api, "POST", collection, rendered.one(kind, "roadstead-requested-by"))
        await assert_eventually(lambda: _is_protected(api))
        await _trust_cluster(api, server, folder)


async def _trust_cluster(api: client.ApiClient, server: ApiServer, folder: Folder) -> None:
    """Add the cluster as an issuer; the webhooks have the token of an account without rights."""
    issuers = json.loads((folder.path / "issuers.json").read_text())
    cluster = {"issuer": CLUSTER_ISSUER, "audience": AUDIENCE, "keysFromCluster": True}
    issuers.append({**cluster, **prefixes(CLUSTER_PREFIX)})
    (folder.path / "issuers.json").write_text(json.dumps(issuers))
    where = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts"
    await call(api, "POST", where, {"metadata": {"name": "roadstead-webhooks"}})
    account = folder.path / "account"
    account.mkdir()
    user = f"system:serviceaccount:{SYSTEM}:roadstead-webhooks"
    (account / "token").write_text(await account_token(api, user))
    (account / "ca.crt").write_bytes(server.ca.read_bytes())


async def _create_account(api: client.ApiClient, name: str) -> None:
    """Create a ServiceAccount that RBAC allows everything."""
    where = f"/api/v1/namespaces/{FLUX}/serviceaccounts"
    await call(api, "POST", where, {"metadata": {"name": name}})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": FLUX}
    body = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
    await call(api, "POST", _RBAC, body)


async def _is_protected(api: client.ApiClient) -> bool:
    """Return whether the API server enforces the policy, before there are webhooks."""
    body = with_annotations(make_contract(name=fresh_name("probe")), {REQUESTED_BY: APPLIER})
    return REQUESTED_BY in await refusal(create(api, body), allowed="")


async def registered(api: client.ApiClient, webhooks: WebhookProcess, folder: Folder) -> None:
    """Register the webhooks, and wait until the API server calls both."""
    await register(api, webhooks.port, folder)

    async def denied() -> bool:
        probe = make_contract(name=fresh_name("probe"))
        return "TokenMissing" in await refusal(create(api, probe), allowed="")

    await assert_eventually(denied)
    admin = dev_token(folder, "root", "roadstead-admins")

    async def validated() -> bool:
        await create(api, with_token(contract_for("nowhere"), admin))
        return 'webhook="validating"' in webhooks.metrics()

    await assert_eventually(validated)


@pytest.fixture(autouse=True)
def _served(webhooks: WebhookProcess) -> None:
    """Start the webhooks for every test."""


async def _connect_as(api: client.ApiClient, server: ApiServer, user: str) -> client.ApiClient:
    token = await account_token(api, user)
    configuration = client.Configuration(
        host=server.url,
        ssl_ca_cert=str(server.ca),
        api_key={"BearerToken": f"Bearer {token}"},
    )
    return client.ApiClient(configuration)


def _client_of(user: str) -> Any:
    """A fixture with a client that has the token of an account."""

    @pytest.fixture
    async def connected(
        api: client.ApiClient, apiserver: ApiServer
    ) -> AsyncIterator[client.ApiClient]:
        async with await _connect_as(api, apiserver, user) as found:
            yield found

    return connected


applier, deployer, stranger, restorer = map(_client_of, (APPLIER, DEPLOYER, STRANGER, RESTORER))


@pytest.fixture
async def contract(namespace: str, applier: client.ApiClient) -> Raw:
    """Create a contract for group `demo-users` in the test's namespace, without a token."""
    return await create(applier, contract_for(namespace))


@pytest.fixture
async def serve(namespace: str, contract: Raw, applier: client.ApiClient) -> Raw:
    """Create a server without a token."""
    return await create(applier, make_modelserve(namespace))


@pytest.fixture
async def https(folder: Folder, webhooks: WebhookProcess) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client that calls the webhooks directly, as one who knows the secret path can."""
    trust = ssl.create_default_context(cadata=folder.ca.decode())
    base = f"https://127.0.0.1:{webhooks.port}"
    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(base, connector=connector) as session:
        yield session
    # aiohttp closes TLS connections after its session.
    await asyncio.sleep(0.25)


def expired_token(folder: Folder) -> str:
    """Return a user's token that expired an hour ago."""
    now = int(datetime.datetime.now(datetime.UTC).timestamp())
    return dev_token(folder, iat=now - 4200, exp=now - 3600)
