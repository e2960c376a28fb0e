"""Namespaces whose servers' pods may reach the embedded store."""

import json

from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from tests.e2e.serves import Serves, make_serve
from tests.support.waiting import wait_until

REVIEWED = 150
"""Seconds: the operator reviews it each minute."""


def is_allowed(cluster: Cluster, namespace: str) -> bool:
    """Whether the operator's policy allows the namespace."""
    policy = cluster.get("-n", NAMESPACE, "networkpolicy", "roadstead-store-servers") or {}
    return f'"{namespace}"' in json.dumps(policy.get("spec", {}))


def test_namespace_is_allowed_while_it_has_a_server(serves: Serves) -> None:
    cluster, namespace = serves.cluster, serves.namespace
    assert not is_allowed(cluster, namespace)
    serves.apply(make_serve())
    serves.until_ready()
    assert is_allowed(cluster, namespace)
    serves.kubectl("delete", "modelserve", "gemma")
    wait_until(lambda: not is_allowed(cluster, namespace), seconds=REVIEWED)


def test_chart_policy_does_not_select_tenant_pods_by_label(cluster: Cluster) -> None:
    policy = cluster.get("-n", NAMESPACE, "networkpolicy", "roadstead-store") or {}
    assert "namespaceSelector" not in json.dumps(policy["spec"]["ingress"])
