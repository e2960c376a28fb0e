"""Transfers of the big model, created and watched as an administrator."""

from __future__ import annotations

import json
import re
from typing import Any

from dev.demo import admission
from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from tests.e2e.leader import leader
from tests.support.waiting import wait_until

PART_BYTES = 16 * 2**20
CONNECTIONS = 4
PATIENCE = 480
"""Seconds: 2 GiB are transferred, and read again to compare the digest."""


def manifest(name: str, model_id: str) -> str:
    """A Model whose object is deleted with it."""
    return json.dumps(
        {
            "apiVersion": "model.example.com/v1alpha1",
            "kind": "Model",
            "metadata": {"name": name},
            "spec": {"source": {"quant": {"modelId": model_id}}, "deletionPolicy": "Delete"},
        }
    )


def apply_model(cluster: Cluster, name: str, model_id: str) -> None:
    """Apply the Model as an administrator."""
    admin = admission.token(cluster, "admin", admission.ADMINS)
    cluster.apply(admission.with_token(manifest(name, model_id), admin))


def progress_of(cluster: Cluster, name: str, *, at_least: int) -> Any:
    """`status.transfer` once it is at this percentage."""
    transfer = (cluster.get("model", name) or {}).get("status", {}).get("transfer", {})
    return transfer if transfer.get("percent", 0) >= at_least else None


def wait_for_progress(cluster: Cluster, name: str) -> Any:
    """`status.transfer` once it is at 10 percent: the rest takes some seconds."""
    return wait_until(lambda: progress_of(cluster, name, at_least=10), seconds=PATIENCE, step=0.1)


def resumed_bytes(cluster: Cluster) -> int:
    """Bytes that the last resumed transfer found in the store, from the operator's log."""
    log = cluster.run("-n", NAMESPACE, "logs", leader(cluster))
    found = re.findall(r"resuming with (\d+) of \d+ parts", log)
    assert found, log
    return int(found[-1]) * PART_BYTES
