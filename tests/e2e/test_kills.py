"""Transfers and fetches resume after kill -9: nothing is moved twice."""

from collections.abc import Iterator
from typing import Any

import pytest

from dev.demo import admission
from dev.demo.kubectl import Cluster
from tests.e2e.leader import leader_uid
from tests.e2e.node_processes import kill_command
from tests.e2e.serves import Serves, make_serve, model_condition
from tests.e2e.transfers import (
    CONNECTIONS,
    PART_BYTES,
    PATIENCE,
    apply_model,
    resumed_bytes,
    wait_for_progress,
)
from tests.support.waiting import wait_until


@pytest.fixture
def model(cluster: Cluster, big_model: str) -> Iterator[str]:
    """The name of a Model of the big object, which is not stored yet; deleted with its object."""
    name = "cut-off"
    yield name
    admin = admission.token(cluster, "admin", admission.ADMINS)
    admission.delete_model(cluster, name, admin, "--timeout=120s")


def test_transfer_resumes_after_the_operator_was_killed(
    cluster: Cluster, model: str, big_model: str
) -> None:
    # A minute: 2 GiB are transferred, and the Lease of the killed operator has to expire.
    apply_model(cluster, model, big_model)
    begun = wait_for_progress(cluster, model)
    assert kill_command(leader_uid(cluster), "roadstead operator") == 1
    wait_until(lambda: is_ready(cluster, model), seconds=PATIENCE)
    resumed = resumed_bytes(cluster)
    assert resumed >= begun["bytesDone"] - CONNECTIONS * PART_BYTES


def test_fetch_resumes_after_it_was_killed(
    cluster: Cluster, model: str, big_model: str, serves: Serves
) -> None:
    # Half a minute: 2 GiB are transferred to the store, and fetched by a pod.
    apply_model(cluster, model, big_model)
    wait_until(lambda: is_ready(cluster, model), seconds=PATIENCE)
    serves.apply(make_serve("big", modelName=model))
    pod = wait_until(serves.pods, seconds=240)[0]
    fetching = (pod["metadata"]["uid"], "roadstead fetch")
    wait_until(lambda: kill_command(*fetching), seconds=240, step=0.5)
    fetch = wait_until(lambda: completed_fetch(serves), seconds=PATIENCE)
    assert fetch["restartCount"] >= 1
    serves.kubectl("delete", "modelserve", "big")


def is_ready(cluster: Cluster, model: str) -> bool:
    return model_condition(cluster, model).get("status") == "True"


def completed_fetch(serves: Serves) -> Any:
    """The status of the fetch container once it has exited with 0."""
    for pod in serves.pods():
        for container in pod["status"].get("initContainerStatuses", []):
            if container["state"].get("terminated", {}).get("exitCode") == 0:
                return container
    return None
