"""kill -9 in the middle: what was moved already is not moved again."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dev.demo import admission
from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from tests.e2e.leader import leader, leader_uid
from tests.e2e.node_processes import kill_command
from tests.e2e.serves import Serves, make_serve, model_condition

PART_BYTES = 16 * 2**20
CONNECTIONS = 4


@pytest.fixture
def model(cluster: Cluster, big_model: str) -> Iterator[str]:
    """A Model of the big object that isn't in the store yet; it goes with its object."""
    name = "cut-off"
    yield name
    admin = admission.token(cluster, "admin", admission.ADMINS)
    admission.delete_model(cluster, name, admin, "--timeout=120s")


def manifest(name: str, model_id: str) -> str:
    """A Model whose object goes when it goes."""
    return json.dumps(
        {
            "apiVersion": "model.example.com/v1alpha1",
            "kind": "Model",
            "metadata": {"name": name},
            "spec": {"source": {"quant": {"modelId": model_id}}, "deletionPolicy": "Delete"},
        }
    )


def bring(cluster: Cluster, name: str, model_id: str) -> None:
    """Apply the Model as an administrator."""
    admin = admission.token(cluster, "admin", admission.ADMINS)
    cluster.apply(admission.with_token(manifest(name, model_id), admin))


def test_a_transfer_goes_on_after_the_operator_was_killed(
    cluster: Cluster, model: str, big_model: str, eventually: Callable[..., Any]
) -> None:
    bring(cluster, model, big_model)
    begun = eventually(lambda: transfer_of(cluster, model, at_least=10), step=0.1)
    assert kill_command(leader_uid(cluster), "roadstead operator") == 1
    eventually(lambda: model_condition(cluster, model).get("status") == "True", seconds=180)
    resumed = resumed_bytes(cluster)
    assert resumed >= begun["bytesDone"] - CONNECTIONS * PART_BYTES


def test_a_fetch_goes_on_after_it_was_killed(
    cluster: Cluster, model: str, big_model: str, serves: Serves, eventually: Callable[..., Any]
) -> None:
    bring(cluster, model, big_model)
    eventually(lambda: model_condition(cluster, model).get("status") == "True", seconds=180)
    serves.apply(make_serve("big", modelName=model))
    pod = eventually(serves.pods)[0]
    eventually(lambda: kill_command(pod["metadata"]["uid"], "roadstead fetch"), step=0.5)
    fetch = eventually(lambda: ended_well(serves), seconds=120)
    assert fetch["restartCount"] >= 1
    serves.kubectl("delete", "modelserve", "big")


def transfer_of(cluster: Cluster, name: str, *, at_least: int) -> Any:
    """`status.transfer` once it has come so many percent far."""
    transfer = (cluster.get("model", name) or {}).get("status", {}).get("transfer", {})
    return transfer if transfer.get("percent", 0) >= at_least else None


def resumed_bytes(cluster: Cluster) -> int:
    """What the transfer after the kill found in the store, by the operator's log."""
    log = cluster.run("-n", NAMESPACE, "logs", leader(cluster))
    found = re.findall(r"going on with (\d+) of \d+ parts", log)
    assert found, log
    return int(found[-1]) * PART_BYTES


def ended_well(serves: Serves) -> Any:
    """The fetch container's status once it ended with 0."""
    for pod in serves.pods():
        for container in pod["status"].get("initContainerStatuses", []):
            if container["state"].get("terminated", {}).get("exitCode") == 0:
                return container
    return None
