"""A tenant's own routes can't reach servers of another tenant."""

import json
import time
from collections.abc import Callable

import pytest

from dev.demo.kubectl import Cluster
from dev.errors import DevError
from tests.e2e.gateway.site import Gateway, Served
from tests.e2e.serves import Serves

MANAGED = {"app.kubernetes.io/managed-by": "roadstead"}
ROUTE_UPDATE_SECONDS = 5
"""Traefik applies changes within its providersThrottleDuration, 2 s."""


def ingress_route(gateway: Gateway, prefix: str, labels: dict[str, str]) -> str:
    """A route to the namespace's server without authentication, with the highest priority."""
    match = f"Host(`{gateway.host}`) && PathPrefix(`{prefix}`)"
    service = {"name": "gemma", "port": 80}
    return json.dumps(
        {
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "IngressRoute",
            "metadata": {"name": "tenant", "labels": labels},
            "spec": {
                "entryPoints": ["websecure"],
                "routes": [
                    {"kind": "Rule", "match": match, "priority": 9999, "services": [service]}
                ],
                "tls": {},
            },
        }
    )


def test_route_of_a_tenant_to_another_tenants_server_is_ignored(
    cluster: Cluster,
    gateway: Gateway,
    mine: Served,
    theirs: Served,
    status_of: Callable[..., int],
) -> None:
    tenant = Serves(cluster=cluster, namespace=mine.namespace)
    tenant.kubectl("apply", "-f", "-", stdin=ingress_route(gateway, f"/{theirs.uid}", {}))
    try:
        deadline = time.monotonic() + ROUTE_UPDATE_SECONDS
        while time.monotonic() < deadline:
            assert status_of(uid=theirs.uid, token="") == 401
            assert status_of(uid=theirs.uid) == 403
            time.sleep(0.2)
        assert status_of(uid=theirs.uid, token=theirs.token) == 200
    finally:
        tenant.kubectl("delete", "ingressroute", "tenant")


def test_tenant_cannot_label_a_route_as_managed_by_roadstead(
    cluster: Cluster, gateway: Gateway, mine: Served, theirs: Served
) -> None:
    tenant = Serves(cluster=cluster, namespace=mine.namespace)
    route = ingress_route(gateway, f"/{theirs.uid}", MANAGED)
    with pytest.raises(DevError, match="managed-by"):
        tenant.kubectl("apply", "-f", "-", stdin=route)


def test_tenant_cannot_change_a_middleware_of_the_operator(cluster: Cluster, mine: Served) -> None:
    tenant = Serves(cluster=cluster, namespace=mine.namespace)
    patch = json.dumps({"spec": {"forwardAuth": {"address": "http://evil.example"}}})
    with pytest.raises(DevError, match="managed-by"):
        tenant.kubectl("patch", "middleware", f"{mine.name}-auth", "--type=merge", "-p", patch)
