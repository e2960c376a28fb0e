"""Deployments and Pods as the API server reports them, with the values that a test sets."""

from __future__ import annotations

from typing import Any

from roadstead.api.group import LABEL_SERVER_UUID

_OLD, _NEW = "2030-01-01T00:00:00Z", "2030-01-01T01:00:00Z"


def deployment(
    replicas: int = 1,
    ready: int = 0,
    *,
    updated: int | None = None,
    total: int | None = None,
    conditions: tuple[dict[str, str], ...] = (),
    generation: int = 1,
) -> dict[str, Any]:
    return {
        "metadata": {"name": "gemma", "generation": generation},
        "spec": {"replicas": replicas},
        "status": {
            "observedGeneration": 1,
            "replicas": replicas if total is None else total,
            "updatedReplicas": replicas if updated is None else updated,
            "readyReplicas": ready,
            "conditions": list(conditions),
        },
    }


def pod(
    name: str = "gemma-1",
    *,
    server: dict[str, Any] | None = None,
    fetch: dict[str, Any] | None = None,
    ready: bool = False,
    ready_changed: str = "",
    template: str = "new",
    conditions: tuple[dict[str, str], ...] = (),
    **status: Any,
) -> dict[str, Any]:
    """A pod with one init container, by default completed, and one server."""
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": _NEW if template == "new" else _OLD,
            "labels": {"pod-template-hash": template},
            "ownerReferences": [replica_set("gemma", template)],
        },
        "spec": {
            "initContainers": [
                {"name": "fetch", "resources": {"limits": {"memory": "384Mi"}}},
            ],
            "containers": [
                {"name": "llama-server", "resources": {"limits": {"memory": "1Gi"}}},
            ],
        },
        "status": {
            "phase": "Running" if ready else "Pending",
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True" if ready else "False",
                    "lastTransitionTime": ready_changed,
                },
                *conditions,
            ],
            "initContainerStatuses": [{"name": "fetch", **(fetch or done())}],
            "containerStatuses": [{"name": "llama-server", **(server or initializing())}],
            **status,
        },
    }


def replica_set(deployment: str, template: str) -> dict[str, Any]:
    """The owner reference of a Deployment's pod."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": f"{deployment}-{template}",
        "uid": f"uid-{template}",
        "controller": True,
    }


def of_server(
    pod: dict[str, Any], uuid: str, *, deployment: str = "gemma", template: str = "new"
) -> dict[str, Any]:
    """The pod as one of a ReplicaSet of a server's Deployment."""
    meta = pod["metadata"]
    labels = {LABEL_SERVER_UUID: uuid, "pod-template-hash": template}
    owners = [replica_set(deployment, template)]
    meta |= {"labels": {**meta.get("labels", {}), **labels}, "ownerReferences": owners}
    return pod


def serving(name: str = "gemma-1", *, since: str = _NEW, template: str = "new") -> dict[str, Any]:
    return pod(name, ready=True, template=template, server=running(since=since, ready=True))


def on_node(pod: dict[str, Any]) -> dict[str, Any]:
    """The pod after it was scheduled."""
    return {**pod, "spec": {**pod["spec"], "nodeName": "node-1"}}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}, **more}


def initializing() -> dict[str, Any]:
    return waiting("PodInitializing")


def running(*, since: str = _NEW, started: bool = True, ready: bool = False) -> dict[str, Any]:
    return {"state": {"running": {"startedAt": since}}, "started": started, "ready": ready}


def done() -> dict[str, Any]:
    return {"state": ended(0, "Completed"), "ready": True}


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def backing_off(last: dict[str, Any], restarts: int = 3) -> dict[str, Any]:
    return waiting(
        "CrashLoopBackOff",
        "back-off 20s restarting failed container",
        lastState=last,
        restartCount=restarts,
    )


def condition(type_: str, status: str, reason: str, message: str) -> dict[str, str]:
    return {"type": type_, "status": status, "reason": reason, "message": message}


def usage_pod(
    name: str = "gemma-1", *, namespace: str = "demo", node: str = "node-1", **spec: Any
) -> dict[str, Any]:
    """A pod on a node, with a ready server."""
    found = of_server(serving(name), "serve-uid")
    found["metadata"] |= {"namespace": namespace, "uid": f"uid-{name}"}
    found["spec"] |= {"nodeName": node, **spec}
    found["status"] |= {"podIP": "10.0.0.7"}
    found["status"]["containerStatuses"][0]["containerID"] = "containerd://1"
    return found
