"""A browser for the console, and a namespace with a contract for its users."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from dev.console import chromium
from dev.demo import admission, ledger, namespaces
from dev.demo.kubectl import Cluster
from tests.e2e.conftest import as_admin
from tests.e2e.gateway import conftest as gateways
from tests.e2e.gateway.site import Gateway, Issuer
from tests.e2e.serves import Serves, make_serve

USERS = "console-users"
OTHER_USERS = "console-others"

gateway = gateways.gateway
issuer = gateways.issuer


@pytest.fixture(scope="module")
def browser(cluster: Cluster) -> Iterator[Browser]:
    """Chromium for one module, since its event loop runs as long as it does."""
    expect.set_options(timeout=60_000)
    with chromium.chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def place(cluster: Cluster) -> Iterator[str]:
    """A namespace with a contract of the same name for USERS."""
    name = f"console-{secrets.token_hex(3)}"
    namespaces.ensure(cluster, name)
    contract = gateways.contract(name, USERS)
    contract["spec"]["total"] = {"servers": 2, "memory": "2Gi"}
    as_admin(cluster, contract)
    yield name
    cluster.run("delete", "namespace", name, "--wait=false")
    admin = admission.token(cluster, "admin", admission.ADMINS)
    gateways.delete_contract(cluster, name, admin)


@pytest.fixture
def alice(browser: Browser, gateway: Gateway, issuer: Issuer) -> Iterator[Page]:
    """A page of a signed-in user of USERS."""
    with chromium.window(browser) as page:
        page.set_default_timeout(60_000)
        chromium.sign_in(page, gateway.url, issuer.token("alice", USERS, jti=secrets.token_hex(8)))
        yield page


@pytest.fixture
def bob(browser: Browser, gateway: Gateway, issuer: Issuer) -> Iterator[Page]:
    """A page of a signed-in user of OTHER_USERS."""
    with chromium.window(browser) as page:
        page.set_default_timeout(60_000)
        chromium.sign_in(
            page, gateway.url, issuer.token("bob", OTHER_USERS, jti=secrets.token_hex(8))
        )
        yield page


@pytest.fixture(scope="session")
def served(cluster: Cluster, gateway: Gateway, issuer: Issuer, place: str) -> str:
    """The UUID of a server named `shared` in that namespace: ready, routed, in the ledger."""
    token = issuer.token("alice", USERS)
    serve = json.dumps(make_serve(name="shared", runtimeParams=gateways.RUNTIME))
    cluster.run("-n", place, "apply", "-f", "-", stdin=admission.with_token(serve, token))
    found = Serves(cluster=cluster, namespace=place).until_ready("shared")
    uid = str(found["status"]["serverUuid"])
    gateways.until_routed_everywhere(gateway, uid, token=token)
    ledger.until_ready(cluster, place, "shared")
    return uid
