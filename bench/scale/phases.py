"""The phases of a run, each measured separately."""

import asyncio
import copy
import dataclasses
import datetime
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from bench.measure import cpu_seconds
from bench.scale import counting
from bench.scale.load import (
    Arrivals,
    BareClient,
    Name,
    Serve,
    Templates,
    ask,
    count,
    in_flight,
    make,
    template_name,
)
from bench.scale.stand import MODEL, OperatorProcess, Stage
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import CHILDREN, DEPLOYMENTS, PODS, SECRETS
from roadstead.manifests.modelserve_manifests import desired_objects, fetch_secret
from roadstead.process import wiring
from tests.support.builders.objects import make_modelserve

RESOURCES: Final = {"limits": {"cpu": "1", "memory": "1Gi"}}
_URL: Final = (
    "http://127.0.0.1:9000/models/sample.gguf?X-Amz-Algorithm=AWS4-HMAC-SHA256" + "&x" * 150
)


@dataclasses.dataclass(kw_only=True)
class Side:
    """One of the two API servers and its clients."""

    client: BareClient
    kube: KubeClient
    arrivals: Arrivals
    pid: int


def modelserve(place: str, name: str) -> dict[str, Any]:
    """A ModelServe of the stored model."""
    return make_modelserve(place, name=name, modelName=MODEL, resources=RESOURCES)


def templates(stage: Stage, model: dict[str, Any]) -> Templates:
    """The children that the operator would create, in its order, for the bare client."""
    (place, name), uid = template_name()
    raw = modelserve(place, name)
    raw["metadata"] |= {"uid": uid, "generation": 1}
    serve = ModelServe.parse(raw)
    platform = wiring.platform(OperatorSettings.from_env(stage.environ()))
    secret = fetch_secret(serve, _URL, datetime.datetime.now(datetime.UTC))
    return Templates([secret, *desired_objects(serve, Model.parse(model), platform)])


def names(
    place: str, number: int, share: float = 0, *, refused: bool = False
) -> tuple[list[Name], list[Name]]:
    """Names to wait for, and a share of names not to wait for, which are refused or not."""
    step = round(1 / share) if share else 0
    others, rest = list[Name](), list[Name]()
    for index in range(number):
        if step and index % step == 0:
            rest.append((place, f"{'refused' if refused else 's'}-{index:05}"))
        else:
            others.append((place, f"s-{index:05}"))
    return others, rest


async def bare_burst(side: Side, made: Templates, asked: Sequence[Name]) -> dict[str, float]:
    """The floor: until the bare client has created everything."""
    before, started = cpu_seconds(side.pid), time.perf_counter()
    await in_flight(asked, lambda name: make(side.client, modelserve, made, name))
    seconds = await side.arrivals.all_of(asked) - started
    return {"seconds": seconds, "serverCpuSeconds": cpu_seconds(side.pid) - before}


async def burst(
    side: Side,
    operator: OperatorProcess,
    asked: Sequence[Name],
    *,
    until: Sequence[Name],
    serve: Serve = modelserve,
) -> dict[str, float]:
    """Until the operator has created all children of `until`; CPU until it is quiet."""
    before, started = cpu_seconds(side.pid), time.perf_counter()
    own = operator.cpu_seconds()
    await in_flight(asked, lambda name: ask(side.client, serve, name))
    created = time.perf_counter() - started
    seconds = await side.arrivals.all_of(until) - started
    await operator.quiet()
    return {
        "seconds": seconds,
        "createdSeconds": created,
        "cpuSeconds": operator.cpu_seconds() - own,
        "serverCpuSeconds": cpu_seconds(side.pid) - before,
    }


async def missing_children(side: Side, place: str, number: int) -> int:
    """Number of missing children."""
    found = [await count(side.kube, resource, place) for resource in (*CHILDREN, SECRETS)]
    return sum(abs(number - each) for each in found)


async def one_at_a_time(
    sides: Sequence[tuple[Side, Callable[[Side, Name], Any]]], place: str, number: int
) -> list[dict[str, float]]:
    """Milliseconds from creating a server until its last child is seen; the sides alternate."""
    found: list[list[float]] = [[] for _ in sides]
    for index in range(number):
        for place_of, (side, work) in enumerate(sides):
            name = place, f"one-{index:05}"
            started = time.perf_counter()
            await work(side, name)
            found[place_of].append(1000 * (await side.arrivals.all_of([name]) - started))
            await asyncio.sleep(0.1)  # Let status and event be written.
    return [
        {"p50": statistics.median(each), "p95": statistics.quantiles(each, n=20)[18]}
        for each in found
    ]


async def set_all_ready(side: Side, asked: Sequence[Name]) -> None:
    """Act as Kubernetes' controllers and a kubelet: each server gets a pod and is ready."""

    async def ready(name: Name) -> None:
        await _ready(side, name)

    await in_flight(asked, ready)


async def _ready(side: Side, name: Name) -> None:
    deployment = await side.kube.get(DEPLOYMENTS, name[1], name[0])
    pod = _pod(deployment)
    path = PODS.collection(name[0])
    await side.client.send("POST", path, json.dumps(pod).encode())
    status = {"status": _RUNNING}
    await _patch(side, f"{path}/{pod['metadata']['name']}/status", status)
    counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas"), 1)
    path = DEPLOYMENTS.path(name[1], namespace=name[0], subresource="status")
    await _patch(side, path, {"status": {"observedGeneration": 1, **counts}})


async def _patch(side: Side, path: str, body: dict[str, Any]) -> None:
    await side.client.send("PATCH", path, json.dumps(body).encode(), "merge-patch+json")


_RUNNING: Final = {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": [
        {
            "name": "llama-server",
            "ready": True,
            "restartCount": 0,
            "image": "llama-server:bench",
            "imageID": "",
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        }
    ],
}


_TEMPLATE_HASH = "5b59d69488"


def _pod(deployment: dict[str, Any]) -> dict[str, Any]:
    meta, template = deployment["metadata"], copy.deepcopy(deployment["spec"]["template"])
    replica_set = f"{meta['name']}-{_TEMPLATE_HASH}"
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": replica_set, "uid": "bench"}
    template["metadata"]["labels"]["pod-template-hash"] = _TEMPLATE_HASH
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **template["metadata"],
            "name": f"{replica_set}-j8pmw",
            "namespace": meta["namespace"],
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": template["spec"],
    }


async def requests(side: Side) -> counting.Requests:
    """Requests that the API server has answered so far."""
    return counting.requests(await counting.page(side.client.session, side.client.url))


async def lag(side: Side, operator: OperatorProcess) -> counting.Buckets:
    """Lag of the operator's event loop so far."""
    text = await counting.page(side.client.session, operator.url)
    return counting.buckets(text, "roadstead_event_loop_lag_seconds")
