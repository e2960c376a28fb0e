"""Namespaces that take no pod which the `restricted` Pod Security Standard forbids."""

import json

from dev.demo.kubectl import Cluster

LABELS = {"pod-security.kubernetes.io/enforce": "restricted"}


def ensure(cluster: Cluster, name: str) -> None:
    """Make the namespace, or have the API server check the pods of one that is there."""
    metadata = {"name": name, "labels": LABELS}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    cluster.run("apply", "--server-side", "-f", "-", stdin=json.dumps(body))
