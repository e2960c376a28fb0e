"""The pods of a server, independent of labels."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.controllers.server_pods import key_of_pod, pods_key
from roadstead.manifests.names import child_name
from tests.support.builders.pods import replica_set, usage_pod

KEY = pods_key("demo", "gemma", "serve-uid")


def changed(**meta: Any) -> dict[str, Any]:
    pod = usage_pod()
    return {**pod, "metadata": {**pod["metadata"], **meta}}


def test_a_pod_of_the_replica_set_belongs_to_the_server() -> None:
    assert key_of_pod(usage_pod()) == KEY


def test_a_shortened_deployment_name_is_found() -> None:
    name = "x" * 60
    assert pods_key("demo", name, "uid") == pods_key("demo", child_name(name), "uid")


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(changed(ownerReferences=[]), id="without an owner"),
        pytest.param(changed(ownerReferences=[{"kind": "ReplicaSet"}]), id="no controller"),
        pytest.param(
            changed(ownerReferences=[{**replica_set("gemma", "new"), "kind": "StatefulSet"}]),
            id="another controller",
        ),
        pytest.param(
            changed(ownerReferences=[replica_set("other", "new")]), id="another Deployment"
        ),
        pytest.param(
            changed(ownerReferences=[replica_set("gemma", "old")]), id="another template's name"
        ),
        pytest.param(changed(labels={"pod-template-hash": "new"}), id="no server"),
        pytest.param(
            changed(labels={"model.example.com/server-uuid": "serve-uid"}), id="no template"
        ),
        pytest.param(changed(namespace="other"), id="another namespace"),
    ],
)
def test_other_pods_do_not_belong_to_the_server(pod: dict[str, Any]) -> None:
    assert key_of_pod(pod) != KEY
