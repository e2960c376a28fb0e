"""What is granted is the operator's alone to write, on an API server of these tests' own."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.binaries import ensure
from dev.servers.apiclient import install_crds
from dev.servers.apiserver import running
from tests.apiserver.test_route_protection import OPERATOR, Cluster
from tests.support.builders.objects import fresh_name, make_modelserve
from tests.support.charts import Chart
from tests.support.waiting import wait_until

TENANT = "tenant"
REFUSAL = "only Roadstead's operator may change status.granted"
GRANTED = {"contract": "demo", "replicas": 1, "resources": {"memory": "600Mi"}}
RULE = {
    "apiGroups": ["model.example.com"],
    "resources": ["modelserves", "modelserves/status"],
    "verbs": ["*"],
}


@pytest.fixture(scope="module")
def cluster(
    binaries: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """With the chart's policy, and rights to write any status for the tenant and the operator."""
    folder = tmp_path_factory.mktemp("granted")
    with running(binaries, folder) as server:
        env = {**os.environ, "HOME": str(folder), "KUBECONFIG": str(server.kubeconfig)}
        cluster = Cluster(kubectl=binaries["kubectl"], env=env)
        asyncio.run(install_crds(server))
        chart = Chart(helm=ensure("helm")["helm"]).render()
        wanted = [
            chart.one("ValidatingAdmissionPolicy", "roadstead-granted"),
            chart.one("ValidatingAdmissionPolicyBinding", "roadstead-granted"),
        ]
        assert cluster.create(*wanted, *rights()) == ""
        settle(cluster)
        yield cluster


def rights() -> list[dict[str, Any]]:
    group = "rbac.authorization.k8s.io"
    rbac = {"apiVersion": f"{group}/v1", "metadata": {"name": "writers"}}
    ref = {"apiGroup": group, "kind": "ClusterRole", "name": "writers"}
    users = [{"apiGroup": group, "kind": "User", "name": name} for name in (TENANT, OPERATOR)]
    return [
        {**rbac, "kind": "ClusterRole", "rules": [RULE]},
        {**rbac, "kind": "ClusterRoleBinding", "roleRef": ref, "subjects": users},
    ]


def settle(cluster: Cluster) -> None:
    """Wait until the tenant and the operator have their rights, and the policy is held."""
    trial = make_modelserve("default")
    wait_until(lambda: cluster.create(trial, by=TENANT) == "")
    wait_until(lambda: REFUSAL in put(cluster, made(cluster), {"granted": GRANTED}, by=""))


def made(cluster: Cluster) -> str:
    """The name of a new ModelServe; its status is what was sent of it: nothing."""
    name = fresh_name("serve")
    body = {**make_modelserve("default", name=name), "status": {"granted": GRANTED}}
    assert cluster.create(body, by=TENANT) == ""
    return name


def put(cluster: Cluster, name: str, status: Any, *, by: str) -> str:
    """The refusal of a change of the status, or nothing."""
    arguments = ["patch", "modelserve", name, "--subresource=status", "--type=merge"]
    return cluster.run(*arguments, "-p", json.dumps({"status": status}), by=by)


@pytest.mark.parametrize("by", [TENANT, ""], ids=["tenant", "administrator"])
def test_a_right_to_write_the_status_is_none_to_grant(cluster: Cluster, by: str) -> None:
    name = made(cluster)
    said = put(cluster, name, {"granted": GRANTED}, by=by)
    assert REFUSAL in said


@pytest.mark.parametrize("change", [None, {"replicas": 0}, {"resources": {"memory": "1Mi"}}])
def test_nor_to_take_back_what_runs(cluster: Cluster, change: Any) -> None:
    name = made(cluster)
    assert put(cluster, name, {"granted": GRANTED}, by=OPERATOR) == ""
    assert "only Roadstead's operator" in put(cluster, name, {"granted": change}, by=TENANT)


def test_the_rest_of_the_status_is_left_to_rights(cluster: Cluster) -> None:
    name = made(cluster)
    assert put(cluster, name, {"replicas": 1}, by=TENANT) == ""


def test_what_is_granted_cannot_be_sent_with_the_object(cluster: Cluster) -> None:
    name = made(cluster)
    change = json.dumps({"status": {"granted": GRANTED}})
    arguments = ["patch", "modelserve", name, "--type=merge", "-p", change]
    assert cluster.run(*arguments, by=TENANT) == ""
    assert put(cluster, name, {"granted": None}, by=TENANT) == "", "it was stored"
