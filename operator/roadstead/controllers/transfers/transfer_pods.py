"""The state of a transfer's Job and its pods, as pure functions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Final

from roadstead.api import conditions
from roadstead.api.pod_findings import Finding, find_problem
from roadstead.api.raw import Raw, section
from roadstead.controllers.server_pods import key_of_pod
from roadstead.errors import InvalidMessage
from roadstead.transfer.messages import Completed, Failed, parse_event

LABEL_OF_JOB: Final = "batch.kubernetes.io/controller-uid"
"""The label that the Job controller sets on a pod: the Job's UID."""


def pods_of(raw: Raw) -> tuple[str, ...]:
    """The index of pods: the UID of their Job, or else the key of their server."""
    key = section(raw, "metadata", "labels").get(LABEL_OF_JOB) or key_of_pod(raw)
    return (key,) if key else ()


def in_namespace(pods: Iterable[Raw], namespace: str) -> list[Raw]:
    """The pods in the Job's namespace: a user may set its label on a pod in another one."""
    return [pod for pod in pods if section(pod, "metadata").get("namespace") == namespace]


def newest_started(pods: Iterable[Raw]) -> str:
    """The name of the newest pod that has a log; empty without one."""
    newest = max(filter(_has_started, pods), key=_created_at, default=None)
    return str(section(newest, "metadata")["name"]) if newest is not None else ""


def find_blocker(pods: Iterable[Raw]) -> Finding | None:
    """What prevents the newest pod from starting and does not resolve itself, if anything."""
    newest = max(pods, key=_created_at, default=None)
    if newest is None or section(newest, "status").get("phase", "Pending") != "Pending":
        return None
    found = find_problem(newest)
    return found if found is not None and found.severe else None


def outcome_of(pods: Iterable[Raw]) -> Completed | Failed | None:
    """The outcome in the termination message of a pod, if there is one."""
    return next(_outcomes(pods), None)


def is_finished(job: Raw) -> bool:
    """Whether the Job is complete or failed, and creates no more pods."""
    ends = (conditions.entry(job, type_) for type_ in ("Complete", "Failed"))
    return any(end.get("status") == "True" for end in ends)


def is_deleting(raw: Raw) -> bool:
    """Whether the object is being deleted."""
    return "deletionTimestamp" in section(raw, "metadata")


def _created_at(pod: Raw) -> str:
    return str(section(pod, "metadata").get("creationTimestamp", ""))


def _has_started(pod: Raw) -> bool:
    statuses = section(pod, "status").get("containerStatuses") or ()
    return any(section(status, "state").keys() & {"running", "terminated"} for status in statuses)


def _outcomes(pods: Iterable[Raw]) -> Iterator[Completed | Failed]:
    for pod in pods:
        for status in section(pod, "status").get("containerStatuses") or ():
            terminated = section(status, "state", "terminated")
            if terminated.get("exitCode") == 0:
                with contextlib.suppress(InvalidMessage):
                    event = parse_event(terminated.get("message", ""))
                    if isinstance(event, Completed | Failed):
                        yield event
