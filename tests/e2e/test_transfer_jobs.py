"""Transfers as Jobs on the real cluster: a pod or an operator that is killed costs little."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dev.demo import admission
from dev.demo.installation import CHECKOUT, NAMESPACE, RELEASE
from dev.demo.kubectl import Cluster
from tests.e2e import leader
from tests.e2e.node_processes import kill_command
from tests.e2e.serves import model_condition
from tests.e2e.transfers import CONNECTIONS, PART_BYTES, PATIENCE, bring, under_way
from tests.support.waiting import wait_until

MODEL = "by-a-job"
PODS = ("-l", "app.kubernetes.io/component=transfer")


@pytest.fixture(scope="module")
def as_jobs(cluster: Cluster) -> Iterator[None]:
    """The chart with `transfer.runner: job`, until the tests are over."""
    run_as(cluster, "job")
    yield
    run_as(cluster, "process")


@pytest.fixture
def model(cluster: Cluster, as_jobs: None, big_model: str) -> Iterator[str]:
    """A Model of the big object that a Job brings; it goes with its object."""
    bring(cluster, MODEL, big_model)
    yield MODEL
    admin = admission.token(cluster, "admin", admission.ADMINS)
    admission.delete_model(cluster, MODEL, admin, "--timeout=120s")
    assert listed(cluster, "jobs") == []


def run_as(cluster: Cluster, runner: str) -> None:
    """Upgrade the chart to another runner of transfers, and have nobody run any as before."""
    before = leader.pods(cluster)
    cluster.install(
        *("upgrade", RELEASE, str(CHECKOUT / "chart"), "--namespace", NAMESPACE),
        *("--reuse-values", "--set", f"transfer.runner={runner}"),
        *("--wait", "--timeout", "180s"),
    )
    leader.until_replaced(cluster, before)


def listed(cluster: Cluster, kind: str) -> list[Any]:
    """Jobs of transfers, or their pods, the oldest first."""
    text = cluster.run("-n", NAMESPACE, "get", kind, *PODS, "-o", "json")
    items: list[Any] = json.loads(text)["items"]
    return sorted(items, key=lambda item: str(item["metadata"]["creationTimestamp"]))


def resumed_by(cluster: Cluster, pod: str) -> int:
    """Bytes that a pod found in the store already; 0 before it has looked."""
    found = re.search(r"resuming with (\d+) of", cluster.run("-n", NAMESPACE, "logs", pod))
    return int(found[1]) * PART_BYTES if found else 0


def is_ready(cluster: Cluster, model: str) -> bool:
    return model_condition(cluster, model).get("status") == "True"


@pytest.mark.fault("R2", heals="the Job's next pod resumes the upload")
def test_the_next_pod_of_a_job_goes_on_where_one_was_killed(cluster: Cluster, model: str) -> None:
    # A minute: 2 GiB are transferred, and read again to compare the digest.
    begun = under_way(cluster, model)
    (first,) = listed(cluster, "pods")
    assert kill_command(first["metadata"]["uid"], "roadstead transfer") == 1
    second = wait_until(lambda: listed(cluster, "pods")[1:], seconds=240)[0]["metadata"]["name"]
    wait_until(lambda: has_log(cluster, second), seconds=240, step=0.1)
    resumed = wait_until(lambda: resumed_by(cluster, second), seconds=240, step=0.1)
    assert resumed >= begun["bytesDone"] - CONNECTIONS * PART_BYTES
    wait_until(lambda: is_ready(cluster, model), seconds=PATIENCE)


def has_log(cluster: Cluster, name: str) -> bool:
    pod = cluster.get("-n", NAMESPACE, "pod", name) or {}
    states = [each["state"] for each in pod.get("status", {}).get("containerStatuses", ())]
    return any("waiting" not in state for state in states)


def test_a_job_takes_no_notice_of_an_operator_that_is_killed(cluster: Cluster, model: str) -> None:
    # Half a minute: 2 GiB are transferred, and read again to compare the digest.
    under_way(cluster, model)
    (job,), (pod,) = listed(cluster, "jobs"), listed(cluster, "pods")
    assert kill_command(leader.leader_uid(cluster), "roadstead operator") == 1
    seen = set[str]()

    def verified() -> bool:
        seen.update(each["metadata"]["uid"] for each in listed(cluster, "jobs"))
        seen.update(each["metadata"]["uid"] for each in listed(cluster, "pods"))
        return is_ready(cluster, model)

    wait_until(verified, seconds=PATIENCE)
    assert seen == {job["metadata"]["uid"], pod["metadata"]["uid"]}


def test_a_model_that_is_deleted_takes_its_job_along(cluster: Cluster, model: str) -> None:
    under_way(cluster, model)
    admin = admission.token(cluster, "admin", admission.ADMINS)
    admission.delete_model(cluster, model, admin, "--timeout=120s")
    assert listed(cluster, "jobs") == listed(cluster, "pods") == []
