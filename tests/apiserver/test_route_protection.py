"""What the chart's admission policies keep tenants from writing, on an API server of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.binaries import ensure
from dev.servers.apiserver import running
from tests.support.builders.objects import fresh_name
from tests.support.charts import GATEWAY_API, TRAEFIK, Chart

TENANT = "tenant"
OPERATOR = "system:serviceaccount:roadstead-system:roadstead-operator"
COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
ADMINISTRATOR = ""
"""Nobody is impersonated."""
OURS = {"app.kubernetes.io/managed-by": "roadstead"}
SERVERS = {"model.example.com/server-uuid": "3b241101-e2bb-4255-8caf-4136c566a962"}
KINDS = {
    "IngressRoute": "traefik.io/v1alpha1",
    "Middleware": "traefik.io/v1alpha1",
    "TLSStore": "traefik.io/v1alpha1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
}
TRAEFIK_KINDS = [kind for kind, version in KINDS.items() if version.startswith("traefik.io/")]
OUR_PARENT = {"name": "models", "namespace": "gateway"}
SETTLE_SECONDS = 120.0
"""Until the API server has read its policies; it does within seconds."""

Object = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """kubectl as the user that a test names."""

    kubectl: Path
    env: dict[str, str]

    def run(self, *arguments: str, by: str = "", stdin: str = "") -> str:
        """What kubectl prints, empty when it worked; `by` is impersonated."""
        impersonated = [f"--as={by}"] if by else []
        done = subprocess.run(
            [self.kubectl, *impersonated, *arguments],
            input=stdin,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=180,
        )
        return done.stderr if done.returncode else ""

    def create(self, *objects: Object, by: str = ADMINISTRATOR) -> str:
        """The refusal, or nothing."""
        items = {"apiVersion": "v1", "kind": "List", "items": objects}
        return self.run("create", "-f", "-", by=by, stdin=json.dumps(items))

    def patch(self, body: Object, change: Object, *, by: str) -> str:
        """The refusal of a merge patch, or nothing."""
        arguments = ["patch", body["kind"].lower(), body["metadata"]["name"], "--type=merge"]
        namespace = body["metadata"]["namespace"]
        return self.run(*arguments, "-n", namespace, "-p", json.dumps(change), by=by)

    def established(self, body: Object) -> Object:
        """Have the operator make an object; it must be let."""
        assert self.create(body, by=OPERATOR) == ""
        return body


@pytest.fixture(scope="module")
def cluster(
    binaries: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """With the definitions, the policies and a `gateway` namespace."""
    folder = tmp_path_factory.mktemp("protection")
    with running(binaries, folder) as server:
        # A home of its own: kubectl keeps what it discovers in ~/.kube/cache.
        env = {**os.environ, "HOME": str(folder), "KUBECONFIG": str(server.kubeconfig)}
        cluster = Cluster(kubectl=binaries["kubectl"], env=env)
        definitions = [definition(kind) for kind in KINDS]
        assert cluster.create(namespace("gateway"), *definitions, *rights()) == ""
        names = [f"crd/{each['metadata']['name']}" for each in definitions]
        assert cluster.run("wait", "--timeout=120s", "--for=condition=Established", *names) == ""
        chart = Chart(helm=ensure("helm")["helm"]).render(GATEWAY_API)
        # One release writes the routes of one kind of gateway; here are those of both.
        role = chart.one("ClusterRole", "roadstead-operator")
        traefik = Chart(helm=ensure("helm")["helm"]).render(TRAEFIK)
        role["rules"] += traefik.one("ClusterRole", "roadstead-operator")["rules"]
        wanted = [each for each in chart.objects if is_of_protection(each)]
        assert cluster.create(*wanted) == ""
        settle(cluster)
        yield cluster


PROTECTION = {
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ClusterRole",
    "ClusterRoleBinding",
}
"""The objects of the chart for this test: the policies, and the operator's rights."""


def is_of_protection(body: Object) -> bool:
    """Without the policies of Roadstead's own accounts, which have tests of their own."""
    account = body["metadata"]["name"].startswith(("roadstead-operator-", "roadstead-webhooks"))
    return body["kind"] in PROTECTION and not (account and "Policy" in body["kind"])


def settle(cluster: Cluster) -> None:
    """Wait until every kind can be written, and both policies are held."""
    deadline = time.monotonic() + SETTLE_SECONDS
    trials = [(served(kind), "remove the label") for kind in TRAEFIK_KINDS]
    trials.append((route("default", OUR_PARENT), "name another Gateway in parentRefs"))
    command = ("create", "--dry-run=server", "-f", "-")
    for trial, refusal in trials:
        while refusal not in (said := cluster.run(*command, by=TENANT, stdin=json.dumps(trial))):
            assert time.monotonic() < deadline, f"{trial['kind']} is not protected: {said}"
            time.sleep(0.2)


def definition(kind: str) -> Object:
    """A CustomResourceDefinition that takes any content."""
    group, _, version = KINDS[kind].partition("/")
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True}
    approved = {"api-approved.kubernetes.io": "unapproved, for a test"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": approved},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{**served, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def rights() -> list[Object]:
    """The tenant may do all with these kinds, as far as RBAC is concerned."""
    rule = {
        "apiGroups": ["traefik.io", "gateway.networking.k8s.io"],
        "resources": ["*"],
        "verbs": ["*"],
    }
    meta = {"name": "tenants"}
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": meta}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "tenants"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": TENANT}
    return [
        {**rbac, "kind": "ClusterRole", "rules": [rule]},
        {**rbac, "kind": "ClusterRoleBinding", "roleRef": ref, "subjects": [subject]},
    ]


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def written(kind: str, where: str, spec: Object, labels: dict[str, str]) -> Object:
    """An object of its own name."""
    meta = {"name": fresh_name("route"), "namespace": where, "labels": labels}
    return {"apiVersion": KINDS[kind], "kind": kind, "metadata": meta, "spec": spec}


def served(kind: str, where: str = "default") -> Object:
    """An object that the gateway would serve."""
    return written(kind, where, {"priority": 1}, OURS)


def unserved(kind: str, where: str = "default") -> Object:
    """An object that the gateway ignores."""
    return written(kind, where, {"priority": 1}, {"app": "a"})


def route(where: str, parent: Object) -> Object:
    """An HTTPRoute of one Gateway, without a label."""
    return written("HTTPRoute", where, {"parentRefs": [parent]}, {})


@pytest.mark.parametrize("kind", TRAEFIK_KINDS)
def test_a_tenant_writes_nothing_that_the_gateway_serves(cluster: Cluster, kind: str) -> None:
    assert "remove the label" in cluster.create(served(kind), by=TENANT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tenant_labels_nothing_as_a_servers(cluster: Cluster, kind: str) -> None:
    body = written(kind, "default", {}, {})
    labelled = written(kind, "default", {}, SERVERS)
    assert "remove the label" in cluster.create(labelled, by=TENANT)
    assert cluster.create(body, by=TENANT) == ""
    assert "remove the label" in cluster.patch(body, {"metadata": {"labels": SERVERS}}, by=TENANT)


@pytest.mark.parametrize("kind", ["IngressRoute", "Middleware", "HTTPRoute"])
def test_a_tenant_changes_nothing_that_is_labelled_as_a_servers(
    cluster: Cluster, kind: str
) -> None:
    body = cluster.established(written(kind, "default", {}, SERVERS))
    for change in ({"metadata": {"labels": None}}, {"spec": {"priority": 2}}):
        assert "remove the label" in cluster.patch(body, change, by=TENANT)


def test_even_an_administrator_leaves_it_to_the_operator(cluster: Cluster) -> None:
    assert "remove the label" in cluster.create(served("IngressRoute"))


@pytest.mark.parametrize("kind", TRAEFIK_KINDS)
def test_a_tenant_writes_what_the_gateway_does_not_serve(cluster: Cluster, kind: str) -> None:
    body = unserved(kind)
    assert cluster.create(body, by=TENANT) == ""
    assert cluster.patch(body, {"spec": {"priority": 2}}, by=TENANT) == ""


def test_a_label_that_is_added_later_is_refused(cluster: Cluster) -> None:
    body = unserved("IngressRoute")
    assert cluster.create(body, by=TENANT) == ""
    assert "remove the label" in cluster.patch(body, {"metadata": {"labels": OURS}}, by=TENANT)


@pytest.mark.parametrize("kind", ["IngressRoute", "Middleware"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"spec": {"priority": 2}}, id="spec"),
        pytest.param({"metadata": {"labels": {next(iter(OURS)): None}}}, id="label-taken-off"),
        pytest.param({"metadata": {"labels": None}}, id="all-labels-taken-off"),
        pytest.param({"metadata": {"ownerReferences": None, "finalizers": ["a/b"]}}, id="held"),
    ],
)
def test_a_tenant_changes_nothing_of_the_operators(
    cluster: Cluster, kind: str, change: Object
) -> None:
    body = cluster.established(served(kind))
    assert "only Roadstead's operator may write" in cluster.patch(body, change, by=TENANT)


def test_the_operator_writes_with_the_rights_of_the_chart(cluster: Cluster) -> None:
    for body in (served("IngressRoute"), served("Middleware"), route("default", OUR_PARENT)):
        cluster.established(body)
        assert cluster.patch(body, {"spec": {"priority": 2}}, by=OPERATOR) == ""


def test_a_tenant_may_delete_what_leads_to_his_own_server(cluster: Cluster) -> None:
    body = cluster.established(served("IngressRoute"))
    name = body["metadata"]["name"]
    assert cluster.run("delete", "ingressroute", name, by=TENANT) == ""


def test_the_garbage_collector_lets_go_of_what_is_deleted(cluster: Cluster) -> None:
    body = served("IngressRoute")
    body["metadata"]["finalizers"] = ["foregroundDeletion"]
    cluster.established(body)
    assert cluster.patch(body, {"metadata": {"finalizers": None}}, by=COLLECTOR) == ""


@pytest.mark.parametrize(
    ("where", "parent"),
    [
        pytest.param("default", OUR_PARENT, id="named"),
        pytest.param("default", {**OUR_PARENT, "sectionName": "other"}, id="another-listener"),
        pytest.param("default", {**OUR_PARENT, "port": 80}, id="by-port"),
    ],
)
def test_a_tenant_has_no_route_of_our_gateway(cluster: Cluster, where: str, parent: Object) -> None:
    assert "name another Gateway in parentRefs" in cluster.create(route(where, parent), by=TENANT)


def test_our_gateway_is_found_behind_another(cluster: Cluster) -> None:
    body = route("default", {"name": "mine"})
    body["spec"]["parentRefs"].append(OUR_PARENT)
    assert "name another Gateway in parentRefs" in cluster.create(body, by=TENANT)


@pytest.mark.parametrize(
    "parent",
    [
        pytest.param({"name": "models"}, id="same-name-in-his-namespace"),
        pytest.param({"name": "other", "namespace": "gateway"}, id="another-beside-ours"),
    ],
)
def test_a_tenant_has_routes_of_other_gateways(cluster: Cluster, parent: Object) -> None:
    assert cluster.create(route("default", parent), by=TENANT) == ""


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"spec": {"parentRefs": [{"name": "mine"}]}}, id="gateway-taken-out"),
        pytest.param({"spec": {"rules": []}}, id="rules"),
    ],
)
def test_a_tenant_changes_no_route_of_the_operators(cluster: Cluster, change: Object) -> None:
    body = cluster.established(route("default", OUR_PARENT))
    assert "only Roadstead's operator may write" in cluster.patch(body, change, by=TENANT)


def test_a_route_is_not_led_to_our_gateway_later(cluster: Cluster) -> None:
    body = route("default", {"name": "mine"})
    assert cluster.create(body, by=TENANT) == ""
    change = {"spec": {"parentRefs": [OUR_PARENT]}}
    assert "name another Gateway in parentRefs" in cluster.patch(body, change, by=TENANT)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(served("TLSStore", "gateway"), id="certificate"),
        pytest.param(route("gateway", {"name": "models"}), id="redirect"),
    ],
)
def test_beside_the_gateway_its_administrators_write(cluster: Cluster, body: Object) -> None:
    assert cluster.create(body) == ""
