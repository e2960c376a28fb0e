"""Whether a server is ready, and why not: derived from a Deployment and its Pods."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from roadstead.api import conditions
from roadstead.api.pod_findings import Finding, Remedy, find_problem, is_ready, memory_remedy
from roadstead.api.pod_messages import shorten
from roadstead.api.raw import Raw, section
from roadstead.api.rollouts import needs_room

MAX_PODS = 20
"""The most pods of one server that are examined."""
_TEMPLATE_HASH = "pod-template-hash"


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkloadState:
    """The content of `WorkloadReady`; `reason` is CamelCase, `message` is for people.

    `started_at` is the start of the oldest ready server (RFC 3339), empty without one.
    """

    ready: bool
    replicas: int
    ready_replicas: int
    reason: str
    message: str
    started_at: str


def observe(
    deployment: Raw | None, pods: Sequence[Raw], remedy: Remedy = memory_remedy
) -> WorkloadState:
    """The state of one server; `pods` are those of the Deployment, of which a few are examined.

    While a change rolls out, the old servers keep the workload ready, and the message has the
    problem of the new ones. `remedy` returns what to lower if memory is short.
    """
    deployment, pods = deployment or {}, select_pods(pods)
    status = section(deployment, "status")
    desired = section(deployment, "spec").get("replicas", 1)
    count = status.get("readyReplicas", 0)
    ready = bool(deployment) and 0 < desired <= count
    found = list(_findings(deployment, _active(pods), remedy))
    reason, message = _reason_and_message(deployment, _active(pods), found, ready=ready)
    return WorkloadState(
        ready=ready,
        replicas=status.get("replicas", 0),
        ready_replicas=count,
        reason=reason,
        message=message,
        started_at=_started_at(pods),
    )


def is_rolled_out(deployment: Raw) -> bool:
    """Whether its last change is rolled out: every pod is of the last template, and ready.

    Terminating pods don't count: their grace period bounds their life.
    """
    status, desired = section(deployment, "status"), section(deployment, "spec").get("replicas", 1)
    seen = status.get("observedGeneration", 0)
    if seen < section(deployment, "metadata").get("generation", 0):
        return False
    counts = ("replicas", "updatedReplicas", "availableReplicas")
    return all(status.get(name, 0) == desired for name in counts)


def has_waiting_pod(pods: Sequence[Raw]) -> bool:
    """Whether a scheduled or new pod is not ready yet, so that it needs what it mounts."""
    return any(map(_is_waiting, select_pods(pods)))


def select_pods(pods: Sequence[Raw]) -> Sequence[Raw]:
    """At most MAX_PODS: the newest, those that are not ready, and the one that was ready first."""
    if len(pods) <= MAX_PODS:
        return pods
    newest, *others = sorted(pods, key=_age, reverse=True)
    others.sort(key=_rank)
    return [newest, *others[: MAX_PODS - 2], others[-1]]


def _rank(pod: Raw) -> int:
    """Pods that may become ready first, then those that have failed, then ready ones."""
    if is_ready(pod):
        return 2
    return int(section(pod, "status").get("phase") == "Failed")


def _reason_and_message(
    deployment: Raw, pods: Sequence[Raw], found: Sequence[Finding], *, ready: bool
) -> tuple[str, str]:
    if not deployment:
        return "Progressing", "the Deployment is not created yet"
    spec, status = section(deployment, "spec"), section(deployment, "status")
    desired, count = spec.get("replicas", 1), status.get("readyReplicas", 0)
    if desired == 0:
        return "ScaledToZero", "spec.replicas is 0: no server runs"
    counted = f"{count} of {desired} servers ready"
    problem = next((item for item in found if item.severe), None)
    if ready:
        return _while_ready(deployment, problem, counted)
    worst = problem or next(iter(found), None) or _stuck(deployment, pods)
    return worst.reason, f"{counted}; {worst.message}" if count else worst.message


def _while_ready(deployment: Raw, problem: Finding | None, counted: str) -> tuple[str, str]:
    if not _rolling(deployment):
        return "ServersReady", counted
    if problem:
        return "RolloutFailing", (
            f"{counted}, as before the last change; the new ones fail: "
            f"{problem.reason}: {problem.message}{_advice(deployment, problem)}"
        )
    updated = section(deployment, "status").get("updatedReplicas", 0)
    return "RollingOut", f"{counted}; the last change has reached {updated} of them"


def _advice(deployment: Raw, problem: Finding) -> str:
    """What to write if the new pods find no room beside the old ones."""
    blocked = problem.reason == "Unschedulable"
    if not blocked or not needs_room(section(deployment, "spec", "strategy")):
        return ""
    return (
        "; the old ones go only when a new one is ready: if they hold what it needs, write "
        "spec.rollout.strategy: Recreate, or with several replicas maxSurge: 0 and "
        "maxUnavailable: 1"
    )


def _rolling(deployment: Raw) -> bool:
    status = section(deployment, "status")
    updated = status.get("updatedReplicas", 0)
    return bool(
        status.get("observedGeneration", 0) < section(deployment, "metadata").get("generation", 0)
        or updated < section(deployment, "spec").get("replicas", 1)
        or updated < status.get("replicas", 0)
    )


def _findings(deployment: Raw, pods: Sequence[Raw], remedy: Remedy) -> Iterable[Finding]:
    failure = conditions.entry(deployment, "ReplicaFailure")
    if failure.get("status") == "True":
        yield _creation_failure(failure)
    for pod in _newest_template(pods):
        if found := find_problem(pod, remedy):
            yield found


def _creation_failure(failure: Raw) -> Finding:
    message = shorten(failure.get("message", ""))
    if "exceeded quota" in message:
        return Finding(
            reason="QuotaExceeded",
            message=f"the namespace's quota does not allow the pod: {message}",
            severe=True,
        )
    return Finding(
        reason="PodCreationFailed", message=f"the pod can't be created: {message}", severe=True
    )


def _stuck(deployment: Raw, pods: Sequence[Raw]) -> Finding:
    late = conditions.entry(deployment, "Progressing")
    exceeded = late.get("reason") == "ProgressDeadlineExceeded"
    if exceeded and late.get("status") == "False":
        return Finding(
            reason="ProgressDeadlineExceeded", message=shorten(late.get("message", "")), severe=True
        )
    waits = "the Deployment to count its pods" if pods else "the pods to be created"
    return Finding(reason="Progressing", message=f"waiting for {waits}", severe=False)


def _active(pods: Sequence[Raw]) -> list[Raw]:
    """Without terminating pods; without failed ones, unless there are no others."""
    remaining = [pod for pod in pods if not section(pod, "metadata").get("deletionTimestamp")]
    running = [pod for pod in remaining if section(pod, "status").get("phase") != "Failed"]
    return running or remaining


def _is_waiting(pod: Raw) -> bool:
    """Whether it may become ready, and is scheduled or may be scheduled now."""
    failed = section(pod, "status").get("phase") == "Failed"
    if failed or section(pod, "metadata").get("deletionTimestamp") or is_ready(pod):
        return False
    return _has_node(pod) or not _is_unscheduled(pod)


def _has_node(pod: Raw) -> bool:
    return bool(section(pod, "spec").get("nodeName"))


def _is_unscheduled(pod: Raw) -> bool:
    """Whether the scheduler has found no node for it yet."""
    return conditions.entry(pod, "PodScheduled").get("status") == "False"


def _newest_template(pods: Sequence[Raw]) -> list[Raw]:
    """The pods of the template that was used last, the newest first."""
    ordered = sorted(pods, key=_age, reverse=True)
    return [pod for pod in ordered if _template(pod) == _template(ordered[0])]


def _age(pod: Raw) -> tuple[str, str]:
    metadata = section(pod, "metadata")
    return metadata.get("creationTimestamp") or "", metadata.get("name") or ""


def _template(pod: Raw) -> str:
    return str(section(pod, "metadata", "labels").get(_TEMPLATE_HASH, ""))


def _started_at(pods: Sequence[Raw]) -> str:
    found = [
        section(container, "state", "running").get("startedAt") or ""
        for pod in pods
        if is_ready(pod)
        for container in (section(pod, "status").get("containerStatuses") or ())[:1]
    ]
    return min((moment for moment in found if moment), default="")
