"""The other way to route: Gateway API."""

from collections.abc import Callable, Iterator

import pytest

from dev.demo.installation import CHECKOUT, NAMESPACE, RELEASE
from dev.demo.kubectl import Cluster
from tests.e2e.gateway.site import Served
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
    mine: Served,
    by_gateway_api: None,
    status_of: Callable[..., int],
) -> None:
    tenant = Serves(cluster=cluster, namespace=mine.namespace)
    wait_until(lambda: tenant.get("httproute", mine.name), seconds=120)
    wait_until(lambda: not tenant.get("ingressroute", mine.name), seconds=120)
    wait_until(status_of_is(status_of, 200), seconds=60)
    assert status_of(token="") == 401
    tenant.until("gemma", "Routed", "True")


def status_of_is(status_of: Callable[..., int], status: int) -> Callable[[], bool]:
    """Whether the caller's own server answers so by now; a gateway that starts may break off."""

    def asked() -> bool:
        try:
            return status_of() == status
        except OSError:
            return False

    return asked
