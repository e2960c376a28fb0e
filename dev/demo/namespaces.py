"""Namespaces that enforce the `restricted` Pod Security Standard."""

import json

from dev.demo.kubectl import Cluster

LABELS = {"pod-security.kubernetes.io/enforce": "restricted"}


def ensure(cluster: Cluster, name: str) -> None:
    """Create the namespace, or set the label of an existing one."""
    metadata = {"name": name, "labels": LABELS}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    cluster.run("apply", "--server-side", "-f", "-", stdin=json.dumps(body))
