"""Routes of the Gateway API."""

from collections.abc import Callable, Iterator

import pytest

from dev.demo.installation import CHECKOUT, NAMESPACE, RELEASE
from dev.demo.kubectl import Cluster
from tests.e2e.gateway.conftest import until_routed_everywhere
from tests.e2e.gateway.site import Gateway, Served
from tests.e2e.serves import Serves
from tests.support.waiting import wait_until

PARENT = "models"
"""The Gateway of the local cluster's Traefik."""


@pytest.fixture
def by_gateway_api(cluster: Cluster) -> Iterator[None]:
    """The chart with `gateway.kind: gateway-api` until the end of the test."""
    route_by(cluster, "gateway-api", parent=PARENT)
    yield
    route_by(cluster, "traefik", parent="")


def route_by(cluster: Cluster, kind: str, *, parent: str) -> None:
    """Upgrade the chart to another kind of route, with the Gateway `parent`."""
    cluster.install(
        *("upgrade", RELEASE, str(CHECKOUT / "chart"), "--namespace", NAMESPACE),
        *("--reuse-values", "--set", f"gateway.kind={kind},gateway.parent.name={parent}"),
        *("--wait", "--timeout", "180s"),
    )


def test_server_is_routed_by_gateway_api(
    cluster: Cluster,
    gateway: Gateway,
    mine: Served,
    by_gateway_api: None,
    status_of: Callable[..., int],
) -> None:
    tenant = Serves(cluster=cluster, namespace=mine.namespace)
    wait_until(lambda: tenant.get("httproute", mine.name), seconds=240)
    wait_until(lambda: not tenant.get("ingressroute", mine.name), seconds=240)
    until_routed_everywhere(gateway, mine.uid, token=mine.token)
    assert wait_until(lambda: refusal(status_of)) == 401
    tenant.until("gemma", "Routed", "True")


def refusal(status_of: Callable[..., int]) -> int:
    """Status without a token; 0 for a replica that has neither the old nor the new route."""
    status = status_of(token="")
    return 0 if status == 404 else status
