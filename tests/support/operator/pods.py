"""Pods that no controller makes here: there is no kubelet either."""

from __future__ import annotations

from tests.support.builders.objects import Raw
from tests.support.operator.namespace import Operated
from tests.support.raw_objects import send_raw


async def post_pod(operated: Operated, deployment: Raw, *, node: str = "") -> str:
    """The pod that the Deployment's controller would make, on `node` if it is named; its name."""
    template = deployment["spec"]["template"]
    name = f"{deployment['metadata']['name']}-1"
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": name},
        "spec": {**template["spec"], **({"nodeName": node} if node else {})},
    }
    await send_raw(operated.api, "POST", operated.path("pods"), body)
    return name
