"""The other way to route: Gateway API."""

from collections.abc import Callable, Iterator

import pytest

from dev.demo.installation import CHECKOUT, NAMESPACE, RELEASE
from dev.demo.kubectl import Cluster
from tests.e2e.gateway.conftest import until_routed_everywhere
from tests.e2e.gateway.site import Gateway, Served
from tests.e2e.serves import Serves
from tests.support.waiting import wait_until

PARENT = "models"
"""The Gateway beside the local cluster's Traefik."""


@pytest.fixture
def by_gateway_api(cluster: Cluster) -> Iterator[None]:
    """The chart with `gateway.kind: gateway-api`, until the test is over."""
    route_by(cluster, "gateway-api", parent=PARENT)
    yield
    route_by(cluster, "traefik", parent="")


def route_by(cluster: Cluster, kind: str, *, parent: str) -> None:
    """Upgrade the chart to another kind of route, of the Gateway `parent`."""
    cluster.install(
        *("upgrade", RELEASE, str(CHECKOUT / "chart"), "--namespace", NAMESPACE),
        *("--reuse-values", "--set", f"gateway.kind={kind},gateway.parent.name={parent}"),
        *("--wait", "--timeout", "180s"),
    )


def test_gateway_api_routes_as_well(
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
    """What nobody gets; 0 of a replica that has dropped the old route and has no new one yet."""
    status = status_of(token="")
    return 0 if status == 404 else status
