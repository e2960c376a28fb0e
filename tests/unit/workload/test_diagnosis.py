"""The status of a server that is not ready has the reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api import workload
from roadstead.api.pod_messages import shorten
from roadstead.api.workload import MAX_PODS, observe, select_pods
from tests.support.builders.pods import (
    backing_off,
    condition,
    deployment,
    done,
    ended,
    initializing,
    on_node,
    pod,
    running,
    serving,
    waiting,
)

_QUOTA = condition(
    "ReplicaFailure",
    "True",
    "FailedCreate",
    'pods "gemma-x" is forbidden: exceeded quota: small, requested: limits.memory=1Gi',
)
_NO_NODE = condition(
    "PodScheduled", "False", "Unschedulable", "0/1 nodes are available: 1 Insufficient memory."
)
_PULL = waiting(
    "ImagePullBackOff",
    'Back-off pulling image "llama:9": ErrImagePull: failed to resolve reference: not found',
    image="llama:9",
)


@pytest.mark.parametrize(
    ("broken", "reason", "message"),
    [
        pytest.param(
            pod(server=_PULL),
            "ImagePullFailed",
            "can't pull the image llama:9: Back-off pulling image",
            id="image",
        ),
        pytest.param(
            pod(fetch=waiting("ErrImagePull", "no such host", image="op:1")),
            "ImagePullFailed",
            "can't pull the image op:1: no such host",
            id="image of the fetch",
        ),
        pytest.param(
            pod(server=waiting("InvalidImageName", "couldn't parse", image="a b")),
            "ImagePullFailed",
            "couldn't parse",
            id="image's name",
        ),
        pytest.param(
            pod(server=backing_off(ended(137, "OOMKilled"))),
            "OutOfMemory",
            "used more memory than its limit of 1Gi; raise spec.resources.limits.memory",
            id="out of memory",
        ),
        pytest.param(
            pod(
                server={
                    **running(started=False),
                    "lastState": ended(137, "OOMKilled"),
                    "restartCount": 1,
                }
            ),
            "OutOfMemory",
            "1Gi",
            id="out of memory and started again",
        ),
        pytest.param(
            pod(server=backing_off(ended(1, message="warming up\nerror: unknown model type\n"))),
            "CrashLooping",
            "llama-server exited with code 1: error: unknown model type, restarted 3 times",
            id="crash",
        ),
        pytest.param(
            pod(server={"state": ended(128, "StartError", "exec: not found")}),
            "CrashLooping",
            "exited with code 128: exec: not found",
            id="crash before the first restart",
        ),
        pytest.param(
            pod(fetch=backing_off(ended(1, message="sha256 is 12ab, not 34cd"))),
            "FetchFailed",
            "can't fetch the model: exited with code 1: sha256 is 12ab, not 34cd",
            id="fetch",
        ),
        pytest.param(
            pod(fetch=backing_off(ended(137, "OOMKilled"))),
            "FetchFailed",
            "its limit of 384Mi",
            id="fetch out of memory",
        ),
        pytest.param(
            pod(server=waiting("CreateContainerConfigError", 'secret "x" not found')),
            "InvalidConfiguration",
            'can\'t start llama-server: secret "x" not found',
            id="configuration",
        ),
        pytest.param(
            pod(conditions=(_NO_NODE,), initContainerStatuses=[], containerStatuses=[]),
            "Unschedulable",
            "pod gemma-1 can't be scheduled: 0/1 nodes are available: 1 Insufficient memory.",
            id="no node",
        ),
        pytest.param(
            pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
            "Evicted",
            "The node was low on resource",
            id="evicted",
        ),
        pytest.param(
            pod(server=running(), ready_changed="9999-01-01T00:00:00Z"),
            "NotAnswering",
            "does not respond at /health",
            id="not answering any more",
        ),
        pytest.param(
            pod(server=running(), ready_changed="1999-01-01T00:00:00Z"),
            "Loading",
            "is loading the model",
            id="not probed yet",
        ),
        pytest.param(pod(fetch=running()), "Fetching", "is fetching the model", id="fetching"),
        pytest.param(
            pod(fetch={**running(), "lastState": ended(1, message="refused"), "restartCount": 2}),
            "Fetching",
            "attempt 3; the last one: exited with code 1: refused",
            id="fetching again",
        ),
        pytest.param(
            pod(server=running(started=False)), "Loading", "is loading the model", id="loading"
        ),
        pytest.param(pod(fetch=initializing()), "Starting", "is starting", id="init waits"),
        pytest.param(pod(), "Starting", "is starting", id="server waits"),
        pytest.param(
            pod(initContainerStatuses=[], containerStatuses=[]), "Starting", "", id="no status yet"
        ),
    ],
)
def test_a_broken_pod_is_explained(broken: dict[str, Any], reason: str, message: str) -> None:
    state = observe(deployment(), [broken])
    assert (state.ready, state.reason) == (False, reason)
    assert message in state.message


@pytest.mark.parametrize(
    ("failure", "reason", "message"),
    [
        pytest.param(_QUOTA, "QuotaExceeded", "exceeded quota: small", id="quota"),
        pytest.param(
            condition("ReplicaFailure", "True", "FailedCreate", "violates PodSecurity"),
            "PodCreationFailed",
            "the pod can't be created: violates PodSecurity",
            id="refused",
        ),
        pytest.param(
            condition("Progressing", "False", "ProgressDeadlineExceeded", "has timed out"),
            "ProgressDeadlineExceeded",
            "has timed out",
            id="stuck",
        ),
    ],
)
def test_pods_that_are_not_created_are_explained(
    failure: dict[str, str], reason: str, message: str
) -> None:
    state = observe(deployment(conditions=(failure,)), [])
    assert (state.ready, state.reason) == (False, reason)
    assert message in state.message


def test_missing_deployment_is_in_progress() -> None:
    state = observe(None, [])
    assert (state.ready, state.reason, state.replicas) == (False, "Progressing", 0)


def test_missing_pods_are_in_progress() -> None:
    assert observe(deployment(), []).reason == "Progressing"


def test_all_servers_ready_is_ready() -> None:
    pods = [
        serving("a", since="2030-01-01T00:00:02Z"),
        serving("b", since="2030-01-01T00:00:01Z"),
    ]
    state = observe(deployment(2, 2), pods)
    assert (state.ready, state.reason, state.message) == (
        True,
        "ServersReady",
        "2 of 2 servers ready",
    )
    assert (state.replicas, state.ready_replicas) == (2, 2)
    assert state.started_at == "2030-01-01T00:00:01Z"


def test_some_servers_ready_is_not_ready_and_has_the_count() -> None:
    state = observe(deployment(2, 1), [serving("a"), pod("b", conditions=(_NO_NODE,))])
    assert (state.ready, state.reason) == (False, "Unschedulable")
    assert state.message.startswith("1 of 2 servers ready; pod b can't be scheduled")


def test_scaled_to_zero_has_its_reason() -> None:
    state = observe(deployment(0, 0), [])
    assert (state.ready, state.reason) == (False, "ScaledToZero")


def test_server_stays_ready_during_a_rollout() -> None:
    pods = [serving("old", template="old"), pod("new", server=running(started=False))]
    state = observe(deployment(1, 1, updated=1, total=2), pods)
    assert (state.ready, state.reason) == (True, "RollingOut")


def test_a_change_that_is_not_seen_yet_rolls_out() -> None:
    state = observe(deployment(1, 1, generation=2), [serving()])
    assert (state.ready, state.reason) == (True, "RollingOut")


def test_server_stays_ready_during_a_failing_rollout() -> None:
    pods = [serving("old", template="old"), pod("new", server=_PULL)]
    state = observe(deployment(1, 1, updated=1, total=2), pods)
    assert (state.ready, state.reason) == (True, "RolloutFailing")
    assert "the new ones fail: ImagePullFailed: pod new can't pull the image llama:9" in (
        state.message
    )


@pytest.mark.parametrize(
    ("strategy", "advised"),
    [
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}, True),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}, False),
    ],
)
def test_a_surge_without_room_says_what_to_write(strategy: Any, advised: bool) -> None:
    current = deployment(1, 1, updated=1, total=2)
    current["spec"]["strategy"] = strategy
    waiting = pod("new", conditions=(_NO_NODE,))
    state = observe(current, [serving("old", template="old"), waiting])
    assert (state.ready, state.reason) == (True, "RolloutFailing")
    assert ("write spec.rollout.strategy: Recreate" in state.message) is advised


def test_rollout_that_exceeds_the_quota_has_its_reason() -> None:
    state = observe(
        deployment(1, 1, updated=0, conditions=(_QUOTA,)), [serving("old", template="old")]
    )
    assert (state.ready, state.reason) == (True, "RolloutFailing")
    assert "exceeded quota" in state.message


def test_the_problem_of_the_newest_template_counts() -> None:
    pods = [
        pod("old", template="old", server=backing_off(ended(1))),
        pod("new", server=running(started=False)),
    ]
    assert observe(deployment(1, 0, total=2), pods).reason == "Loading"


def test_a_problem_counts_more_than_progress() -> None:
    pods = [pod("a", server=_PULL), pod("z", fetch=running())]
    assert observe(deployment(2, 0), pods).reason == "ImagePullFailed"


def test_replaced_failed_pod_does_not_count() -> None:
    pods = [pod("a", phase="Failed", reason="Evicted"), pod("b", fetch=running())]
    assert observe(deployment(), pods).reason == "Fetching"


def test_terminating_pod_does_not_count() -> None:
    terminating = pod("old", server=_PULL)
    terminating["metadata"]["deletionTimestamp"] = "2030-01-01T02:00:00Z"
    assert observe(deployment(), [terminating, pod("new", fetch=running())]).reason == "Fetching"


def test_a_server_that_crashed_once_and_is_ready_again_is_ready() -> None:
    again = serving()
    again["status"]["containerStatuses"][0]["lastState"] = ended(137, "OOMKilled")
    assert observe(deployment(1, 1), [again]).reason == "ServersReady"


def test_of_many_pods_the_newest_those_not_ready_and_the_first_ready_are_examined() -> None:
    ready = [serving(f"gemma-{at:03}", template="old") for at in range(100)]
    failed = [pod(f"gemma-f{at:03}", phase="Failed", template="old") for at in range(100)]
    starting = [pod(f"gemma-w{at:02}", template="old") for at in range(10)]
    newest = serving("gemma-000", template="new")
    pods = [*ready, *failed, newest, *starting]
    chosen = [each["metadata"]["name"] for each in select_pods(pods)]
    assert len(chosen) == MAX_PODS
    assert chosen[:2] == ["gemma-000", "gemma-w09"]
    assert {each["metadata"]["name"] for each in starting} <= set(chosen)
    assert chosen[-2:] == ["gemma-f092", "gemma-000"]


def test_only_a_few_of_many_pods_are_examined() -> None:
    broken = [pod(f"gemma-{at}", server=_PULL) for at in range(1000)]
    statuses = [Counted(each["status"]) for each in broken]
    pods = [{**each, "status": status} for each, status in zip(broken, statuses, strict=True)]
    assert observe(deployment(1000), pods).reason == "ImagePullFailed"
    assert sum(each.examined for each in statuses) == MAX_PODS


class Counted(dict[str, Any]):
    """A pod's status that records whether its containers' statuses were read."""

    examined = False

    def get(self, key: str, default: Any = None) -> Any:
        self.examined |= key == "containerStatuses"
        return super().get(key, default)


def test_a_done_fetch_does_not_count() -> None:
    found = observe(deployment(), [pod(fetch=done(), server=running(started=False))])
    assert found.reason == "Loading"


@pytest.mark.parametrize(
    ("found", "waits"),
    [
        pytest.param(on_node(pod(fetch=waiting("PodInitializing"))), True, id="on a node"),
        pytest.param(pod(), True, id="just created"),
        pytest.param(pod(conditions=(_NO_NODE,)), False, id="no node takes it"),
        pytest.param(on_node(serving()), False, id="ready"),
        pytest.param(on_node(pod(phase="Failed", reason="Evicted")), False, id="evicted"),
    ],
)
def test_only_scheduled_or_schedulable_pods_wait_for_volumes(
    found: dict[str, Any], waits: bool
) -> None:
    assert workload.has_waiting_pod([found]) == waits


def test_new_pod_waits_for_volumes_while_the_old_one_serves() -> None:
    pods = [serving("old", template="old"), on_node(pod("new"))]
    state = observe(deployment(1, 1, updated=1, total=2), pods)
    assert (state.ready, workload.has_waiting_pod(pods)) == (True, True)


def test_message_has_no_query_of_a_url() -> None:
    said = shorten("GET http://store/models/a?X-Amz-Signature=abc&x=1: 403")
    assert said == "GET http://store/models/a?... 403"


def test_of_a_long_message_the_last_lines_are_searched() -> None:
    url = "http://store/a?X-Amz-Signature=" + "s" * 990
    assert shorten(f"first\n{url}\nthe end") == "the end"
    assert shorten("begins " + "?" * 2000).startswith("begins ?")
    assert "s" * 20 not in shorten("x" * 2000 + url)


def test_message_has_no_colours() -> None:
    assert shorten("\x1b[31merror:\x1b[0m no\tmodel") == "error: nomodel"


@given(st.text(alphabet=st.characters(max_codepoint=0x2FF) | st.sampled_from("\t\r\n\x1b[m")))
def test_a_message_is_one_short_printable_line(text: str) -> None:
    said = shorten(text)
    assert len(said) <= 400
    assert not any(ord(character) < 0x20 or ord(character) == 0x7F for character in said)


_anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(
        st.sampled_from(["state", "waiting", "running", "terminated", "reason", "message"]),
        inner,
        max_size=4,
    ),
    max_leaves=10,
)


@given(
    st.lists(st.fixed_dictionaries({"state": st.dictionaries(st.text(), _anything)}), max_size=3)
)
def test_any_container_message_has_a_verdict(containers: list[dict[str, Any]]) -> None:
    state = observe(deployment(), [pod(containerStatuses=containers)])
    assert state.reason
    assert not state.ready


def test_out_of_memory_has_a_remedy_for_the_model() -> None:
    dead = pod(server=backing_off(ended(137, "OOMKilled")))
    state = observe(deployment(), [dead], lambda: "lower contextCheckpoints")
    assert state.message.endswith(
        "raise spec.resources.limits.memory, or lower contextCheckpoints in spec.runtimeParams"
    )
