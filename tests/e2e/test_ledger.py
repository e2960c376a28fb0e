"""The ledger on the real cluster: its content, and outages of Postgres."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from dev.demo.ledger import ASK, POD
from dev.errors import DevError
from tests.e2e.node_processes import kill_command
from tests.e2e.repeating import Repeatedly
from tests.e2e.serves import Serves, make_serve
from tests.support.waiting import wait_until

OPERATOR = "deployment/roadstead-operator"
MEGABYTE = 10**6
PATIENCE = 240
"""Seconds: the kubelet waits at most 15 after a kill, and Postgres replays its log."""


def rows(cluster: Cluster, query: str) -> list[Mapping[str, Any]]:
    """The rows of a query by the reader."""
    text = cluster.run(*ASK, "-tAc", f"SELECT json_agg(found) FROM ({query}) found")
    found: list[Mapping[str, Any]] = json.loads(text.strip() or "[]") or []
    return found


def record(cluster: Cluster, serves: Serves, name: str) -> Mapping[str, Any]:
    """The record of a ModelServe; empty without one."""
    query = (
        f"SELECT * FROM server_records WHERE namespace = '{serves.namespace}' AND name = '{name}'"
    )
    found = rows(cluster, query)
    return found[0] if found else {}


def verify(cluster: Cluster, *, seconds: int = 180) -> str:
    """`roadstead ledger verify` in the operator's pod; DevError with the differences, if any."""
    command = ("roadstead", "ledger", "verify", "--wait", str(seconds))
    return cluster.run("-n", NAMESPACE, "exec", OPERATOR, "--", *command)


def postgres(cluster: Cluster) -> str:
    """The UID of Postgres' pod."""
    pod = cluster.get("-n", NAMESPACE, "pod", POD) or {}
    return str(pod["metadata"]["uid"])


def killing_postgres(cluster: Cluster) -> Repeatedly:
    """Kill Postgres repeatedly while the block runs, whenever the kubelet restarts it."""
    uid = postgres(cluster)
    return Repeatedly(lambda: kill_command(uid, "postgres"), pause=0.2)


def answers(cluster: Cluster) -> bool:
    """Whether Postgres answers: right after a kill the pod's status still has it as ready."""
    try:
        return rows(cluster, "SELECT 1 AS one") != []
    except DevError:
        return False


def matching_record(cluster: Cluster, serves: Serves) -> Sequence[Mapping[str, Any]]:
    """Record and server once both have the same memory: the record follows the status."""
    found, serve = record(cluster, serves, "gemma"), serves.get("modelserve", "gemma")
    used = serve["status"].get("memoryCurrentBytes", 0) / MEGABYTE
    same = used and found["memory_current_mb"] == pytest.approx(used, rel=0.05)
    return (found, serve) if same else ()


@pytest.fixture
def running(cluster: Cluster, serves: Serves) -> Serves:
    """A ready server that is in the ledger."""
    serves.apply(make_serve())
    serves.until_ready()
    assert verify(cluster) == ""
    return serves


def test_ready_server_is_in_the_ledger_with_its_usage(cluster: Cluster, running: Serves) -> None:
    # Half a minute: the kubelet measures a new pod after ten seconds, and the ledger follows.
    found, serve = wait_until(lambda: matching_record(cluster, running), seconds=PATIENCE, step=2)
    assert (found["status"], found["subject"], found["contract"]) == ("Ready", "alice", "e2e")
    assert found["gateway_url"] == serve["status"]["url"]
    assert found["pod_names"] == [pod["metadata"]["name"] for pod in running.pods()]
    assert found["memory_max_mb"] >= found["memory_current_mb"] * 0.95
    model = rows(cluster, f"SELECT * FROM model_records WHERE uuid = '{found['model_uuid']}'")
    assert (model[0]["status"], model[0]["architecture"]) == ("Ready", "gemma3")


@pytest.mark.timeout(600)
def test_changes_during_an_outage_of_postgres_are_recorded(
    cluster: Cluster, running: Serves
) -> None:
    running.apply(make_serve("passing", modelName="nobody-knows-this"))
    running.until("passing", "Ready", "ModelUnknown")
    assert verify(cluster) == ""
    with killing_postgres(cluster):
        running.apply(make_serve("new", modelName="nobody-knows-this"))
        running.until("new", "Ready", "ModelUnknown")
        running.kubectl("delete", "modelserve", "passing")
        running.kubectl("scale", "modelserve", "gemma", "--replicas=0")
        running.until("gemma", "WorkloadReady", "ScaledToZero")
    wait_until(lambda: answers(cluster), seconds=PATIENCE, step=1)
    assert verify(cluster) == ""
    assert record(cluster, running, "passing")["status"] == "Deleted"
    assert record(cluster, running, "gemma")["status"] == "Stopped"


@pytest.mark.timeout(600)
def test_kill_of_postgres_loses_no_changes(cluster: Cluster, serves: Serves) -> None:
    for number in range(5):
        serves.apply(make_serve(f"one-{number}", modelName="nobody-knows-this"))
    assert kill_command(postgres(cluster), "postgres") > 0
    for number in range(5):
        serves.kubectl("delete", "modelserve", f"one-{number}", "--wait=false")
    serves.apply(make_serve("last", modelName="nobody-knows-this"))
    wait_until(lambda: answers(cluster), seconds=PATIENCE, step=1)
    assert verify(cluster) == ""


def test_denials_are_in_the_ledger(cluster: Cluster, serves: Serves) -> None:
    with pytest.raises(DevError, match="TokenMissing"):
        serves.kubectl("apply", "-f", "-", stdin=json.dumps(make_serve()))
    query = f"SELECT * FROM admission_records WHERE namespace = '{serves.namespace}'"
    (found,) = wait_until(lambda: rows(cluster, query), seconds=PATIENCE)
    assert (found["allowed"], found["reason"]) == (False, "TokenMissing")
