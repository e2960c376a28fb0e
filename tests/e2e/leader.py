"""Which of the operator's pods leads: the others neither log nor measure what tests ask for."""

from __future__ import annotations

import time

from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster

LEASE = "roadstead-operator"
PATIENCE_SECONDS = 60.0


def leader(cluster: Cluster) -> str:
    """The pod that the Lease names, and that is there; waits for one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (pod := _named(cluster)):
        assert time.monotonic() < deadline, "no pod leads"
        time.sleep(0.5)
    return pod


def leader_uid(cluster: Cluster) -> str:
    """The UID of that pod."""
    pod = cluster.get("-n", NAMESPACE, "pod", leader(cluster))
    assert pod is not None
    return str(pod["metadata"]["uid"])


def _named(cluster: Cluster) -> str:
    lease = cluster.get("-n", NAMESPACE, "lease", LEASE) or {}
    pod = str(lease.get("spec", {}).get("holderIdentity", "")).partition("_")[0]
    return pod if pod and cluster.get("-n", NAMESPACE, "pod", pod) else ""
