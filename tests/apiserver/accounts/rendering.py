"""What the operator writes, rendered as it renders it, and what somebody would make of that."""

from __future__ import annotations

import copy
import datetime
import uuid
from typing import Any

from roadstead.api.modelserve import ModelServe
from roadstead.manifests.gateway import Routing, key_secret
from roadstead.manifests.modelserve_manifests import desired_objects, fetch_secret
from roadstead.manifests.pull_secret import pull_secret
from roadstead.manifests.transfer_job import TransferPlace, transfer_job
from tests.support.builders.resources import make_model, make_platform, make_serve, of_kind
from tests.support.charts import Object, Rendered

ROUTING = Routing(
    kind="traefik",
    url="https://models.example.com",
    forward_auth="http://roadstead-forward-auth.roadstead-system.svc",
    entry_points=("websecure",),
)
KINDS = (
    "ServiceAccount",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Service",
    "Middleware",
    "IngressRoute",
    "Deployment",
    "Secret",
)
"""Of a server's children."""
HOST_PATH = {"name": "node", "hostPath": {"path": "/"}}


def children(namespace: str) -> list[Object]:
    """All that the operator writes for one server."""
    serve = served_in(namespace)
    platform = make_platform(routing=ROUTING)
    expires = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    return [
        fetch_secret(serve, "http://store/models/a?b=c", expires),
        key_secret(serve, "k" * 32),
        pull_secret(serve, "regcred", '{"auths": {}}'),
        *desired_objects(serve, make_model(), platform, api_key="k" * 32),
    ]


def served_in(namespace: str) -> ModelServe:
    """A ModelServe with a UID of its own."""
    raw = make_serve("gemma", str(uuid.uuid4()), replicas=2).raw
    return ModelServe.parse({**raw, "metadata": {**raw["metadata"], "namespace": namespace}})


def child(namespace: str, kind: str) -> Object:
    """The first of a kind."""
    return next(each for each in children(namespace) if each["kind"] == kind)


def deployment(namespace: str, **pod: Any) -> Object:
    """A server's Deployment whose pods have other fields."""
    return with_pod(of_kind(children(namespace), "Deployment"), **pod)


def with_pod(workload: Object, **pod: Any) -> Object:
    """The same with other fields of its pods; lists are added to."""
    changed = copy.deepcopy(workload)
    spec = changed["spec"]["template"]["spec"]
    for name, value in pod.items():
        spec[name] = [*spec[name], *value] if isinstance(value, list) else value
    return changed


def with_container(workload: Object, **fields: Any) -> Object:
    """The same whose first container has other fields; maps are merged."""
    changed = copy.deepcopy(workload)
    container = changed["spec"]["template"]["spec"]["containers"][0]
    for name, value in fields.items():
        merged = {**container.get(name, {}), **value} if isinstance(value, dict) else value
        container[name] = merged
    return changed


def without_owner(body: Object) -> Object:
    """The same with nothing above it."""
    meta = {key: value for key, value in body["metadata"].items() if key != "ownerReferences"}
    return {**body, "metadata": meta}


def unmarked(body: Object) -> Object:
    """The same as somebody else would have made it: without owner and labels of ours."""
    changed = copy.deepcopy(body)
    changed["metadata"] = {key: body["metadata"][key] for key in ("name", "namespace")}
    if body["kind"] == "Deployment":
        labels = {"app": "theirs"}
        changed["spec"]["selector"]["matchLabels"] = labels
        changed["spec"]["template"]["metadata"]["labels"] = labels
    return changed


def job(rendered: Rendered, **changes: Any) -> Object:
    """A transfer's Job of the chart's template."""
    place = TransferPlace(
        model_name="gemma", model_uid=str(uuid.uuid4()), namespace="roadstead-system"
    )
    made = transfer_job(rendered.transfer_job(), place, inputs="abc", attempt=1)
    return with_pod(made, **changes)
