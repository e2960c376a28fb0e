"""The state of a transfer's Job and its pods."""

from typing import Any

import pytest

from roadstead.controllers.server_pods import pods_key
from roadstead.controllers.transfers.transfer_pods import (
    find_blocker,
    in_namespace,
    is_deleting,
    is_finished,
    newest_started,
    outcome_of,
    pods_of,
)
from roadstead.errors import Retry
from roadstead.transfer.messages import Failed, Stopped, event_line
from tests.support.builders.pods import usage_pod

FAILED = Failed(reason="StoreFull", message="no space", retry=Retry.BACKOFF)


def make_pod(name: str = "one", *, at: str = "2026-01-01T00:00:00Z", **state: Any) -> Any:
    """A pod with one container in this state."""
    return {
        "metadata": {"name": name, "namespace": "system", "creationTimestamp": at},
        "status": {"containerStatuses": [{"name": "transfer", "state": state}]},
    }


def ended(code: int, message: str) -> Any:
    return make_pod(terminated={"exitCode": code, "message": message})


def test_a_completed_pod_has_an_outcome() -> None:
    assert outcome_of([make_pod(running={}), ended(0, event_line(FAILED))]) == FAILED


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(make_pod(), id="no state"),
        pytest.param(make_pod(running={}), id="running"),
        pytest.param(ended(4, event_line(FAILED)), id="another pod resumes"),
        pytest.param(ended(0, event_line(Stopped())), id="no outcome"),
        pytest.param(ended(0, "{"), id="no event"),
        pytest.param(make_pod(terminated={"exitCode": 0}), id="no message"),
        pytest.param({"metadata": {"name": "one"}}, id="no status"),
    ],
)
def test_any_other_pod_has_no_outcome(pod: Any) -> None:
    assert outcome_of([pod]) is None


def test_the_newest_started_pod_is_found() -> None:
    pods = [
        make_pod("second", at="2026-01-01T00:00:02Z", running={}),
        make_pod("first", at="2026-01-01T00:00:01Z", terminated={"exitCode": 4}),
        make_pod("third", at="2026-01-01T00:00:03Z", waiting={"reason": "ContainerCreating"}),
    ]
    assert newest_started(pods) == "second"
    assert newest_started(pods[2:]) == ""


def unscheduled(name: str, at: str) -> Any:
    condition = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}
    found = make_pod(name, at=at)
    return {**found, "status": {"phase": "Pending", "conditions": [condition]}}


def test_a_blocker_of_the_newest_pod_is_found() -> None:
    first, second = "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"
    found = find_blocker([unscheduled("new", second), unscheduled("old", first)])
    assert found is not None
    assert (found.reason, "pod new" in found.message) == ("Unschedulable", True)


def test_a_running_or_starting_pod_has_no_blocker() -> None:
    older = unscheduled("old", "2026-01-01T00:00:00Z")
    at_work = make_pod("new", at="2026-01-01T00:00:01Z", running={})
    at_work["status"]["phase"] = "Running"
    assert find_blocker([older, at_work]) is None
    assert find_blocker([make_pod(waiting={"reason": "ContainerCreating"})]) is None
    assert find_blocker([]) is None


def test_a_pod_in_another_namespace_does_not_belong_to_the_job() -> None:
    assert in_namespace([make_pod()], "system") == [make_pod()]
    assert in_namespace([make_pod()], "demo") == []


def test_pods_are_found_by_their_job_or_else_by_their_server() -> None:
    job = {"batch.kubernetes.io/controller-uid": "job-uid"}
    assert pods_of({"metadata": {"labels": job}}) == ("job-uid",)
    assert pods_of(usage_pod()) == (pods_key("demo", "gemma", "serve-uid"),)
    assert pods_of({"metadata": {}}) == ()


@pytest.mark.parametrize(
    ("conditions", "over"),
    [
        pytest.param(None, False, id="none"),
        pytest.param([{"type": "Complete", "status": "True"}], True, id="complete"),
        pytest.param([{"type": "Failed", "status": "True"}], True, id="failed"),
        pytest.param([{"type": "Failed", "status": "False"}], False, id="not yet"),
        pytest.param([{"type": "FailureTarget", "status": "True"}], False, id="pods end still"),
    ],
)
def test_a_complete_or_failed_job_is_finished(conditions: Any, over: bool) -> None:
    assert is_finished({"status": {"conditions": conditions}}) is over


def test_a_job_with_a_deletion_timestamp_is_deleting() -> None:
    assert is_deleting({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    assert not is_deleting({"metadata": {}})
