"""Pods that tests create, since there is neither a controller nor a kubelet."""

from __future__ import annotations

from tests.support.builders.objects import Raw
from tests.support.builders.pods import replica_set
from tests.support.operator.namespace import Operated
from tests.support.raw_objects import send_raw


async def post_pod(operated: Operated, deployment: Raw, *, node: str = "") -> str:
    """Create the pod of a Deployment's ReplicaSet, optionally on `node`; returns its name."""
    template, owner = deployment["spec"]["template"], deployment["metadata"]["name"]
    name = f"{owner}-1"
    labels = {**template["metadata"]["labels"], "pod-template-hash": "hash"}
    meta = {**template["metadata"], "labels": labels, "name": name}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**meta, "ownerReferences": [replica_set(owner, "hash")]},
        "spec": {**template["spec"], **({"nodeName": node} if node else {})},
    }
    await send_raw(operated.api, "POST", operated.path("pods"), body)
    return name
