"""Reviews that the API server did not send have no effect."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
import uuid
from typing import Any

import pytest

from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from dev.errors import DevError
from tests.e2e.serves import Serves, make_serve
from tests.support.waiting import wait_until

LABEL = "app.kubernetes.io/component=webhooks"
HTTPS, METRICS = 8443, 8080


def addresses(cluster: Cluster) -> list[str]:
    """Addresses of the webhooks' pods, which are routed on this machine."""
    found = json.loads(cluster.run("-n", NAMESPACE, "get", "pods", "-l", LABEL, "-o", "json"))
    living = [pod for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]
    return [pod["status"]["podIP"] for pod in living if pod["status"].get("podIP")]


def deletion(namespace: str) -> dict[str, Any]:
    """The review of a deletion that did not happen."""
    version = {"group": "model.example.com", "version": "v1alpha1"}
    body = {
        "apiVersion": "model.example.com/v1alpha1",
        "kind": "ModelServe",
        "metadata": {"name": "gemma", "namespace": namespace},
        "spec": {},
    }
    request = {
        "uid": str(uuid.uuid4()),
        "operation": "DELETE",
        "resource": {**version, "resource": "modelserves"},
        "kind": {**version, "kind": "ModelServe"},
        "namespace": namespace,
        "name": "gemma",
        "userInfo": {"username": "kubernetes-admin"},
        "oldObject": body,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def status(address: str, path: str, body: Any = None, *, port: int = HTTPS) -> int:
    """The HTTP status of a request."""
    scheme = "https" if port == HTTPS else "http"
    request = urllib.request.Request(
        f"{scheme}://{address}:{port}{path}",
        json.dumps(body).encode() if body else None,
        {"Content-Type": "application/json"},
    )
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(
            request, timeout=60, context=context if port == HTTPS else None
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def rows(cluster: Cluster, namespace: str) -> str:
    """The ledger's admission records of a namespace."""
    query = f"SELECT reason FROM admission_records WHERE namespace = '{namespace}'"
    psql = ("psql", "-U", "roadstead_reader", "-At", "roadstead", "-c", query)
    return cluster.run("-n", NAMESPACE, "exec", "roadstead-postgres-0", "--", *psql)


def test_forged_review_writes_neither_row_nor_event(cluster: Cluster, serves: Serves) -> None:
    for address in addresses(cluster):
        for path in ("/mutate", "/validate", f"/validate/{'0' * 64}"):
            assert status(address, path, deletion(serves.namespace)) == 403
    with pytest.raises(DevError, match="TokenMissing"):
        serves.kubectl("apply", "-f", "-", stdin=json.dumps(make_serve()))
    wait_until(lambda: "TokenMissing" in rows(cluster, serves.namespace), seconds=180)
    assert set(rows(cluster, serves.namespace).split()) == {"TokenMissing"}
    events = serves.kubectl("get", "events", "-o", "jsonpath={.items[*].message}")
    assert "DELETE by" not in events


def test_metrics_are_served_on_their_own_port_only(cluster: Cluster) -> None:
    for address in addresses(cluster):
        assert status(address, "/metrics") == 404
        assert status(address, "/metrics", port=METRICS) == 200
        assert status(address, "/readyz", port=METRICS) == 404
