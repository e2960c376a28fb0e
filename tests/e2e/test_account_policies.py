"""Requests that admission policies deny to the operator's and the webhooks' accounts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from dev.errors import DevError
from tests.e2e.serves import Serves, make_serve

OPERATOR, WEBHOOKS = (f"--as=system:serviceaccount:{NAMESPACE}:roadstead-{part}"
                      for part in ("operator", "webhooks"))  # fmt: skip
SECURITY = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
OWNER = {"apiVersion": "model.example.com/v1alpha1", "kind": "ModelServe", "name": "a", "uid": "b"}
CONFIGURATIONS = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")


def refusal(cluster: Cluster, *command: str, stdin: str = "") -> str:
    """The message of a denied command, run as a dry run."""
    with pytest.raises(DevError) as caught:
        cluster.run(*command, "--dry-run=server", stdin=stdin)
    return str(caught.value)


def deployment(namespace: str, owners: list[dict[str, str]], **pod: Any) -> str:
    """A Deployment whose pods run as their own ServiceAccount."""
    labels = {"app": "a"}
    container = {
        "name": "a",
        "image": "b",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "serviceAccountName": "a",
        "automountServiceAccountToken": False,
        "securityContext": SECURITY,
        "containers": [container],
        **pod,
    }
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": namespace, "ownerReferences": owners},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    return json.dumps(body)


def test_operator_account_cannot_create_a_deployment_without_a_modelserve_as_owner(
    cluster: Cluster, namespace: str
) -> None:
    body = deployment(namespace, [])
    assert "owner is a ModelServe" in refusal(cluster, OPERATOR, "create", "-f", "-", stdin=body)


@pytest.mark.parametrize("place", ["kube-system", NAMESPACE])
def test_operator_account_cannot_create_servers_in_system_namespaces(
    cluster: Cluster, place: str
) -> None:
    body = deployment(place, [OWNER])
    message = refusal(cluster, OPERATOR, "create", "-f", "-", stdin=body)
    assert f"no server runs in namespace {place}" in message


@pytest.mark.parametrize(
    "pod",
    [
        {"hostNetwork": True},
        {"hostPID": True},
        {"volumes": [{"name": "node", "hostPath": {"path": "/"}}]},
        {"serviceAccountName": "default"},
        {"automountServiceAccountToken": True},
        {"securityContext": {}},
    ],
    ids=lambda pod: next(iter(pod)),
)
def test_operator_account_cannot_create_pods_with_more_privileges(
    cluster: Cluster, namespace: str, pod: dict[str, Any]
) -> None:
    body = deployment(namespace, [OWNER], **pod)
    message = refusal(cluster, OPERATOR, "create", "-f", "-", stdin=body)
    assert "pods that roadstead-operator starts" in message


def test_operator_account_cannot_create_service_account_tokens(
    cluster: Cluster, namespace: str
) -> None:
    annotations = {"kubernetes.io/service-account.name": "default"}
    meta = {"name": "a", "namespace": namespace, "annotations": annotations}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**meta, "ownerReferences": [OWNER]},
        "type": "kubernetes.io/service-account-token",
    }
    message = refusal(cluster, OPERATOR, "create", "-f", "-", stdin=json.dumps(secret))
    assert "of type Opaque" in message


@pytest.mark.parametrize(
    "target",
    [
        ("-n", "kube-system", "service", "kube-dns"),
        ("-n", NAMESPACE, "deployment", "roadstead-operator"),
        ("-n", NAMESPACE, "secret", "roadstead-receipts"),
    ],
    ids=lambda target: target[-1],
)
def test_operator_account_cannot_change_system_objects(
    cluster: Cluster, target: tuple[str, ...]
) -> None:
    change = json.dumps({"metadata": {"ownerReferences": [OWNER]}})
    message = refusal(cluster, OPERATOR, "patch", *target, "--type=merge", "-p", change)
    assert "owner is a ModelServe" in message


@pytest.mark.parametrize("kind", CONFIGURATIONS)
@pytest.mark.parametrize(
    "change",
    [
        {"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"},
        {"op": "replace", "path": "/webhooks/0/rules/0/resources", "value": ["*"]},
        {"op": "replace", "path": "/webhooks/0/clientConfig/service/name", "value": "evil"},
        {"op": "add", "path": "/metadata/labels/a", "value": "b"},
    ],
    ids=lambda change: change["path"],
)
def test_webhooks_account_cannot_change_webhook_rules(
    cluster: Cluster, kind: str, change: dict[str, Any]
) -> None:
    patch = ("patch", kind, "roadstead", "--type=json", "-p", json.dumps([change]))
    assert "updates only caBundle" in refusal(cluster, WEBHOOKS, *patch)


def test_policies_allow_a_server_to_be_created_scaled_and_deleted(serves: Serves) -> None:
    serves.apply(make_serve())
    serves.until_ready()
    serves.kubectl("scale", "modelserve", "gemma", "--replicas=0")
    serves.until("gemma", "Ready", "ScaledToZero")
    serves.kubectl("delete", "modelserve", "gemma")


def test_policies_have_no_type_warnings(cluster: Cluster) -> None:
    for name in ("roadstead-operator-objects", "roadstead-operator-pods", "roadstead-webhooks"):
        policy = cluster.get("validatingadmissionpolicy", name) or {}
        assert policy["status"].get("typeChecking", {}).get("expressionWarnings", []) == []
