"""Prints the progress of a ModelServe until it is ready."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from dev.demo.kubectl import Cluster
from dev.errors import StepTimeout
from dev.terminal import echo

MARKS = {"True": "✓", "False": "·", "Unknown": "?"}
STEP_SECONDS = 0.5


def until_ready(
    cluster: Cluster, namespace: str, name: str, *, seconds: float
) -> Mapping[str, Any]:
    """Print each change of its conditions; returns it once it is ready, else StepTimeout."""
    deadline = time.monotonic() + seconds
    shown: dict[str, str] = {}
    while True:
        serve = cluster.get("-n", namespace, "modelserve", name) or {}
        conditions = serve.get("status", {}).get("conditions", [])
        for line in changes(conditions, shown):
            echo(f"  {line}")
        if is_ready(serve, conditions):
            return serve
        if time.monotonic() > deadline:
            raise StepTimeout(_describe_failure(cluster, namespace, name, seconds))
        time.sleep(STEP_SECONDS)


def until_measured(cluster: Cluster, namespace: str, name: str, *, seconds: float) -> None:
    """Wait for its usage; at most `seconds`, since a cluster may not report usage."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        serve = cluster.get("-n", namespace, "modelserve", name) or {}
        if "memoryCurrentBytes" in serve.get("status", {}):
            return
        time.sleep(STEP_SECONDS)


def changes(conditions: Sequence[Mapping[str, str]], shown: dict[str, str]) -> list[str]:
    """A line for each condition that has changed; `shown` has the texts that were printed."""
    lines = []
    for item in conditions:
        text = f"{item['reason']}: {item['message']}" if item.get("message") else item["reason"]
        if item["type"] != "Ready" and shown.get(item["type"]) != text:
            shown[item["type"]] = text
            lines.append(f"{MARKS[item['status']]} {item['type']:<15} {text}")
    return lines


def is_ready(serve: Mapping[str, Any], conditions: Sequence[Mapping[str, Any]]) -> bool:
    """Whether `Ready` is true for the current generation."""
    generation = serve.get("metadata", {}).get("generation")
    return any(
        item["type"] == "Ready"
        and item["status"] == "True"
        and item["observedGeneration"] == generation
        for item in conditions
    )


def _describe_failure(cluster: Cluster, namespace: str, name: str, seconds: float) -> str:
    description = cluster.run("-n", namespace, "describe", "modelserve", name)
    pods = cluster.run("-n", namespace, "get", "pods", "-o", "wide")
    problem = f"ModelServe {namespace}/{name} was not ready after {seconds:.0f} s"
    return f"{problem}\n{description}\n{pods}"
