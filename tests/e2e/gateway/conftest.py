"""Two servers behind the gateway for all tests of this folder: one's own, and another tenant's."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from dev.demo import admission, namespaces
from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from roadstead.api.group import ANNOTATION_DELETION, ANNOTATION_TOKEN
from tests.e2e.conftest import as_admin
from tests.e2e.gateway.connection import ask
from tests.e2e.gateway.site import Gateway, Issuer, Served
from tests.e2e.serves import USERS, Serves, make_serve
from tests.support.waiting import wait_until

OTHER_USERS = "e2e-others"
PLAIN_PORT = 8080
NEW_CONNECTIONS = 12
"""Of two replicas, all of them miss one once in 2,000 times."""
RUNTIME = {"contextSize": 8192, "parallel": 2, "threads": 1, "chatTemplate": "vicuna"}
TRAEFIK_NAMESPACE = "traefik"


@pytest.fixture(scope="session")
def gateway(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    """The gateway that the chart is installed with."""
    return Gateway.of(cluster, tmp_path_factory.mktemp("gateway"))


@pytest.fixture(scope="session")
def plain_port() -> int:
    """The port of the local cluster's gateway without TLS."""
    return PLAIN_PORT


@pytest.fixture(scope="session")
def issuer(cluster: Cluster) -> Issuer:
    """The chart's issuer of tokens."""
    return Issuer.of(cluster)


@pytest.fixture(scope="session")
def mine(cluster: Cluster, gateway: Gateway, issuer: Issuer) -> Iterator[Served]:
    """A server, and a token that may use it."""
    with serving(cluster, gateway, issuer, "mine", USERS) as served:
        yield served


@pytest.fixture(scope="session")
def theirs(cluster: Cluster, gateway: Gateway, issuer: Issuer) -> Iterator[Served]:
    """A server that the same user may not use, and a token that may."""
    with serving(cluster, gateway, issuer, "theirs", OTHER_USERS) as served:
        yield served


@contextmanager
def serving(
    cluster: Cluster, gateway: Gateway, issuer: Issuer, side: str, group: str
) -> Iterator[Served]:
    """Run a server in its own namespace, under its own contract, routed and ready."""
    namespace = f"gateway-{side}-{secrets.token_hex(3)}"
    token = issuer.token(f"user-of-{side}", group)
    namespaces.ensure(cluster, namespace)
    try:
        as_admin(cluster, contract(namespace, group))
        apply(cluster, namespace, token)
        serves = Serves(cluster=cluster, namespace=namespace)
        serves.until("gemma", "Routed", "True")
        found = serves.until_ready("gemma")
        served = Served(
            uid=found["status"]["serverUuid"],
            url=found["status"]["url"],
            namespace=namespace,
            name="gemma",
            token=token,
        )
        until_routed_everywhere(gateway, served.uid, token=token)
        yield served
    finally:
        cluster.run("delete", "namespace", namespace, "--wait=false")
        admin = admission.token(cluster, "admin", admission.ADMINS)
        delete_contract(cluster, namespace, admin)


def until_routed_everywhere(gateway: Gateway, uid: str, *, token: str) -> None:
    """Wait until many new connections are all answered.

    Routed is true once one replica of the gateway has the route; another may have it later.
    """
    wait_until(lambda: _is_routed_everywhere(gateway, uid, token), seconds=120)


def _is_routed_everywhere(gateway: Gateway, uid: str, token: str) -> bool:
    """False also for an error: a replica that starts or was replaced may close a connection."""
    try:
        asked = (ask(gateway, f"/{uid}/health", token=token) for _ in range(NEW_CONNECTIONS))
        return all(answer.status == 200 for answer in asked)
    except OSError:
        return False


def contract(namespace: str, *groups: str) -> dict[str, Any]:
    """A ResourceContract for one namespace, with its name."""
    return {
        "apiVersion": "model.example.com/v1alpha1",
        "kind": "ResourceContract",
        "metadata": {"name": namespace},
        "spec": {
            "namespaces": {"names": [namespace]},
            "authorization": {"groups": list(groups)},
            "models": ["*"],
            "perServer": {"replicas": 2},
        },
    }


def apply(cluster: Cluster, namespace: str, token: str, **spec: Any) -> None:
    """Apply the only ModelServe of the namespace."""
    serve = json.dumps(make_serve(**{"runtimeParams": RUNTIME, **spec}))
    cluster.run("-n", namespace, "apply", "-f", "-", stdin=admission.with_token(serve, token))


def delete_contract(cluster: Cluster, name: str, admin: str) -> None:
    """Delete a contract with an administrator's token, unless the release was removed with it."""
    if cluster.get("resourcecontract", name) is None:
        return
    marks = (f"{ANNOTATION_DELETION}=yes", f"{ANNOTATION_TOKEN}={admin}")
    cluster.run("annotate", "--overwrite", "resourcecontract", name, *marks)
    cluster.run("delete", "resourcecontract", name, "--wait=false")


@pytest.fixture
def revoked(cluster: Cluster) -> Iterator[Callable[..., None]]:
    """Revokes token ids or subjects; the fixture's end removes all revocations."""

    def revoke(**entries: str) -> None:
        _patch_revocations(cluster, entries)

    yield revoke
    _patch_revocations(cluster, {"jti": None, "sub": None})


def _patch_revocations(cluster: Cluster, data: Mapping[str, str | None]) -> None:
    patch = json.dumps({"data": data})
    name = ("configmap", "roadstead-revocations")
    cluster.run("-n", NAMESPACE, "patch", *name, "--type=merge", "-p", patch)


@pytest.fixture
def status_of(gateway: Gateway, mine: Served) -> Callable[..., int]:
    """Returns the status of a server's /health through the gateway, on a new connection."""

    def status(*, uid: str = mine.uid, token: str = mine.token) -> int:
        return ask(gateway, f"/{uid}/health", token=token).status

    return status
