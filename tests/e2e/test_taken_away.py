"""Something that a server needs is removed and restored: the reason is shown, and it recovers."""

from __future__ import annotations

import json
from typing import Final

import pytest

from dev.errors import DevError
from roadstead.api.pod_findings import is_ready
from tests.e2e.serves import Serves, condition_of, make_serve
from tests.support.faults_table import Healing
from tests.support.waiting import wait_until

NO_IMAGE: Final = {"image": "localhost/no-such-image:1"}


@pytest.mark.fault("R18", heals="the server starts when the quota allows it")
def test_exceeded_quota_is_reported_and_the_server_starts_without_it(
    serves: Serves, healing: Healing
) -> None:
    serves.kubectl("create", "quota", "nothing", "--hard=pods=0")
    # The quota has no effect before its controller has processed it.
    wait_until(lambda: serves.get("quota", "nothing").get("status", {}).get("hard"))
    serves.apply(make_serve())
    assert "nothing" in serves.explanation("QuotaExceeded")
    serves.kubectl("delete", "quota", "nothing")
    with healing():
        serves.until_ready()


@pytest.mark.fault("R18", heals="the running server stays until a valid image is set")
def test_missing_image_does_not_stop_the_running_server(serves: Serves, healing: Healing) -> None:
    # Half a minute: the kubelet backs off before it reports that an image is missing.
    serves.apply(make_serve())
    serves.until_ready()
    serves.apply(make_serve(config=NO_IMAGE))
    found = serves.until("gemma", "WorkloadReady", "RolloutFailing")
    condition = condition_of(found, "WorkloadReady")
    assert condition["status"] == "True"
    assert "no-such-image" in condition["message"]
    assert condition_of(found, "Ready")["status"] == "True"
    serves.apply(make_serve())
    with healing():
        serves.until("gemma", "WorkloadReady", "ServersReady")


@pytest.mark.fault(
    "R18", heals="an eviction waits for the budget; then another pod replaces the server's"
)
def test_eviction_waits_for_the_budget_and_the_pod_is_replaced(
    serves: Serves, healing: Healing
) -> None:
    # Half a minute: a model is loaded, and again by the pod that replaces the first.
    serves.apply(make_serve())
    uuid = serves.until_ready()["status"]["serverUuid"]
    (pod,) = serves.pods()
    selector = f"--selector=model.example.com/server-uuid={uuid}"
    serves.kubectl("create", "pdb", "one", "--min-available=1", selector)
    with pytest.raises(DevError, match="disruption budget"):
        wait_until(lambda: evict(serves, pod["metadata"]["name"]))
    assert serves.condition("gemma")["status"] == "True"
    serves.kubectl("delete", "pdb", "one")
    evict(serves, pod["metadata"]["name"])
    with healing():
        # It may miss Ready between two polls, so the pods are compared.
        wait_until(lambda: another_serves(serves, pod["metadata"]["uid"]), seconds=240)
        serves.until_ready()


def another_serves(serves: Serves, uid: str) -> bool:
    """Whether the only pod is another one, and ready."""
    pods = serves.pods()
    return len(pods) == 1 and pods[0]["metadata"]["uid"] != uid and is_ready(pods[0])


def evict(serves: Serves, pod: str) -> None:
    """Evict a pod as `kubectl drain` does; DevError if a budget forbids it."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": serves.namespace},
    }
    path = f"/api/v1/namespaces/{serves.namespace}/pods/{pod}/eviction"
    serves.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))
