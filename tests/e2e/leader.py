"""The operator's leading pod: only this one has the logs and metrics that tests read."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster

LEASE = "roadstead-operator"
LEADER_DEADLINE_SECONDS = 120.0
PODS = ("-l", "app.kubernetes.io/component=operator")


def leader(cluster: Cluster) -> str:
    """Wait for an existing pod that the Lease names; returns its name."""
    return str(_leader(cluster)["metadata"]["name"])


def leader_uid(cluster: Cluster, *, than: Collection[str] = ()) -> str:
    """Wait for a leader other `than` these; returns its UID."""
    return str(_leader(cluster, than=than)["metadata"]["uid"])


def pods(cluster: Cluster) -> list[str]:
    """All pods of the operator, including terminating ones."""
    return cluster.run("-n", NAMESPACE, "get", "pods", *PODS, "-o", "name").split()


def until_replaced(cluster: Cluster, before: Collection[str]) -> None:
    """Wait until these pods are gone and another one leads: a terminating one may start work."""
    for pod in before:
        cluster.run("-n", NAMESPACE, "wait", "--for=delete", pod, "--timeout=240s")
    leader(cluster)


def _leader(cluster: Cluster, *, than: Collection[str] = ()) -> Mapping[str, Any]:
    deadline = time.monotonic() + LEADER_DEADLINE_SECONDS
    while not (pod := _named(cluster)) or pod["metadata"]["uid"] in than:
        assert time.monotonic() < deadline, f"no pod leads but {than}"
        time.sleep(0.5)
    return pod


def _named(cluster: Cluster) -> Mapping[str, Any]:
    lease = cluster.get("-n", NAMESPACE, "lease", LEASE) or {}
    pod = str(lease.get("spec", {}).get("holderIdentity", "")).partition("_")[0]
    return (cluster.get("-n", NAMESPACE, "pod", pod) or {}) if pod else {}
