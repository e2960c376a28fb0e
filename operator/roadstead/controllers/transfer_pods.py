"""What Kubernetes says of a transfer's Job and its pods. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Final

from roadstead.api.pod_findings import Finding, find_problem
from roadstead.api.raw import Raw, section
from roadstead.controllers.server_pods import key_of_pod
from roadstead.errors import InvalidMessage
from roadstead.transfer.messages import Completed, Failed, parse_event

LABEL_OF_JOB: Final = "batch.kubernetes.io/controller-uid"
"""What the Job controller puts on a pod: the Job's UID."""


def pods_of(raw: Raw) -> tuple[str, ...]:
    """The index of pods: the UID of their Job, or else the key of their server."""
    key = section(raw, "metadata", "labels").get(LABEL_OF_JOB) or key_of_pod(raw)
    return (key,) if key else ()


def belonging(pods: Iterable[Raw], namespace: str) -> list[Raw]:
    """Those in the Job's namespace: anybody may write its label on a pod of another one."""
    return [pod for pod in pods if section(pod, "metadata").get("namespace") == namespace]


def newest_begun(pods: Iterable[Raw]) -> str:
    """The name of the newest pod that has a log; empty without one."""
    newest = max(filter(_has_begun, pods), key=_made_at, default=None)
    return str(section(newest, "metadata")["name"]) if newest is not None else ""


def blocking(pods: Iterable[Raw]) -> Finding | None:
    """What keeps the newest pod from beginning, and does not pass by itself; None for nothing."""
    newest = max(pods, key=_made_at, default=None)
    if newest is None or section(newest, "status").get("phase", "Pending") != "Pending":
        return None
    found = find_problem(newest)
    return found if found is not None and found.severe else None


def outcome_of(pods: Iterable[Raw]) -> Completed | Failed | None:
    """The outcome that a pod left behind as it ended; None where none has."""
    return next(_outcomes(pods), None)


def has_ended(job: Raw) -> bool:
    """Whether no other pod will be started for it."""
    conditions = section(job, "status").get("conditions") or ()
    return any(
        item["type"] in ("Complete", "Failed") and item["status"] == "True" for item in conditions
    )


def is_deleting(raw: Raw) -> bool:
    """Whether it is on its way out."""
    return "deletionTimestamp" in section(raw, "metadata")


def _made_at(pod: Raw) -> str:
    return str(section(pod, "metadata").get("creationTimestamp", ""))


def _has_begun(pod: Raw) -> bool:
    statuses = section(pod, "status").get("containerStatuses") or ()
    return any(section(status, "state").keys() & {"running", "terminated"} for status in statuses)


def _outcomes(pods: Iterable[Raw]) -> Iterator[Completed | Failed]:
    for pod in pods:
        for status in section(pod, "status").get("containerStatuses") or ():
            ended = section(status, "state", "terminated")
            if ended.get("exitCode") == 0:
                with contextlib.suppress(InvalidMessage):
                    event = parse_event(ended.get("message", ""))
                    if isinstance(event, Completed | Failed):
                        yield event
