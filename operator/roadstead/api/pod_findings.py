"""Why one pod of a server is not ready, and what to do."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

from roadstead.api import conditions, pod_messages, server_log
from roadstead.api.pod_messages import join_lines, shorten
from roadstead.api.raw import Raw, section

_NAME = 253
_NOT_ALPHANUMERIC = re.compile(r"^[^A-Za-z]+|[^A-Za-z0-9]+")

# kubelet: pkg/kubelet/images/types.go and container/sync_result.go name these reasons.
_IMAGE = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
}
_OUT_OF_MEMORY = "OutOfMemory"
_CONFIGURATION = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}

Remedy = Callable[[], str]


def memory_remedy() -> str:
    """What to lower if the model isn't known."""
    return "lower contextSize, parallel, contextCheckpoints or cacheRamMiB"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One observation of a pod; `severe` means that it does not resolve itself."""

    reason: str
    message: str
    severe: bool


def find_problem(pod: Raw, remedy: Remedy = memory_remedy) -> Finding | None:
    """Why a pod is not ready; None if it is.

    `remedy` returns what to lower if a server runs out of memory.
    """
    if is_ready(pod):
        return None
    status = section(pod, "status")
    if status.get("phase") == "Failed":
        return _failed(pod)
    if blocked := _unscheduled(pod):
        return blocked
    for container in status.get("initContainerStatuses") or ():
        if found := _of_fetch(pod, container):
            return found
    for container in status.get("containerStatuses") or ():
        if found := _of_server(pod, container):
            return _with_remedy(found, remedy)
    return Finding(reason="Starting", message=f"pod {_name(pod)} is starting", severe=False)


def _with_remedy(found: Finding, remedy: Remedy) -> Finding:
    if found.reason != _OUT_OF_MEMORY:
        return found
    advice = f"raise spec.resources.limits.memory, or {remedy()} in spec.runtimeParams"
    return dataclasses.replace(found, message=f"{found.message}; {advice}")


def is_ready(pod: Raw) -> bool:
    """Whether the pod's `Ready` condition is true."""
    return conditions.entry(pod, "Ready").get("status") == "True"


def _failed(pod: Raw) -> Finding:
    status = section(pod, "status")
    # A reason of the kubelet may have other characters, such as OutOfnvidia.com/gpu.
    reason = _NOT_ALPHANUMERIC.sub("", str(status.get("reason", ""))[:_NAME]) or "PodFailed"
    detail = shorten(status.get("message") or "it failed without a message")
    return Finding(reason=reason, message=f"pod {_name(pod)}: {detail}", severe=True)


def _unscheduled(pod: Raw) -> Finding | None:
    scheduled = conditions.entry(pod, "PodScheduled")
    if scheduled.get("status") != "False":
        return None
    detail = shorten(scheduled.get("message") or scheduled.get("reason") or "")
    return Finding(
        reason="Unschedulable",
        message=f"pod {_name(pod)} can't be scheduled: {detail}",
        severe=True,
    )


def _of_fetch(pod: Raw, container: Raw) -> Finding | None:
    state = section(container, "state")
    if not state or "waiting" in state:
        waiting = _of_waiting(pod, container)
        if waiting:
            return waiting
    ended = _terminated(container)
    if "running" in state:
        return Finding(reason="Fetching", message=_fetching(pod, container, ended), severe=False)
    if ended and ended.get("exitCode") != 0:
        return Finding(
            reason="FetchFailed",
            message=f"pod {_name(pod)} can't fetch the model: {_exit_cause(pod, container, ended)}",
            severe=True,
        )
    if "terminated" in state:
        return None
    return Finding(reason="Starting", message=f"pod {_name(pod)} is starting", severe=False)


def _fetching(pod: Raw, container: Raw, ended: Raw | None) -> str:
    text = f"pod {_name(pod)} is fetching the model from the store"
    if not ended or ended.get("exitCode") == 0:
        return text
    attempt = container.get("restartCount", 0) + 1
    return f"{text}, attempt {attempt}; the last one: {_exit_cause(pod, container, ended)}"


def _of_server(pod: Raw, container: Raw) -> Finding | None:
    if container.get("ready"):
        return None
    state = section(container, "state")
    if "waiting" in state and (waiting := _of_waiting(pod, container)):
        return waiting
    if ended := _terminated(container):
        return _crashed(pod, container, ended)
    if "running" in state and not (container.get("started") and _was_ready(pod, state)):
        text = f"pod {_name(pod)} is loading the model"
        return Finding(reason="Loading", message=text, severe=False)
    if "running" in state:
        return Finding(
            reason="NotAnswering",
            message=f"pod {_name(pod)} is running but does not respond at /health",
            severe=True,
        )
    return Finding(reason="Starting", message=f"pod {_name(pod)} is starting", severe=False)


def _was_ready(pod: Raw, state: Raw) -> bool:
    """Whether the pod was ready since its server started.

    It wasn't yet between the startup probe and the first readiness probe.
    """
    since = conditions.entry(pod, "Ready").get("lastTransitionTime", "")
    return bool(since > section(state, "running").get("startedAt", ""))


def _of_waiting(pod: Raw, container: Raw) -> Finding | None:
    waiting = section(container, "state", "waiting")
    reason = waiting.get("reason", "")
    detail = shorten(waiting.get("message") or reason)
    if reason in _IMAGE:
        image = str(container.get("image") or _spec_of(pod, container).get("image", ""))[:_NAME]
        return Finding(
            reason="ImagePullFailed",
            message=f"pod {_name(pod)} can't pull the image {image}: {detail}",
            severe=True,
        )
    if reason in _CONFIGURATION:
        return Finding(
            reason="InvalidConfiguration",
            message=f"pod {_name(pod)} can't start {container.get('name')}: {detail}",
            severe=True,
        )
    return None


def _crashed(pod: Raw, container: Raw, ended: Raw) -> Finding:
    if ended.get("reason") == "OOMKilled":
        return Finding(
            reason=_OUT_OF_MEMORY,
            message=f"pod {_name(pod)}: {_out_of_memory(pod, container)}",
            severe=True,
        )
    times = container.get("restartCount", 0)
    again = f", restarted {times} times" if times > 1 else ""
    exited = ": ".join(filter(None, (_exit(ended), _cause(pod, ended))))
    return Finding(
        reason="CrashLooping",
        message=f"pod {_name(pod)}: {container.get('name')} {exited}{again}",
        severe=True,
    )


def _cause(pod: Raw, ended: Raw) -> str:
    """The cause by the exit code and the log. A process that is killed doesn't log why."""
    code, log = ended.get("exitCode"), str(ended.get("message") or "")
    meaning = pod_messages.exit_meaning(code)
    if code == pod_messages.KILLED:
        return meaning
    found = join_lines(server_log.find_causes(log))
    if not found and server_log.ends_with_stack_trace(log):
        found = f"`kubectl logs --previous {_name(pod)}` shows why, above the stack trace"
    return "; ".join(filter(None, (meaning, found)))


def _exit_cause(pod: Raw, container: Raw, ended: Raw) -> str:
    if ended.get("reason") == "OOMKilled":
        return _out_of_memory(pod, container)
    detail = shorten(ended.get("message") or "")
    return f"{_exit(ended)}: {detail}" if detail else _exit(ended)


def _exit(ended: Raw) -> str:
    return f"exited with code {ended.get('exitCode')}"


def _out_of_memory(pod: Raw, container: Raw) -> str:
    limit = section(_spec_of(pod, container), "resources", "limits").get("memory")
    name = container.get("name")
    if limit is None:
        return f"{name} was killed because the node ran out of memory"
    return f"{name} was killed because it used more memory than its limit of {limit}"


def _terminated(container: Raw) -> Raw | None:
    """The last termination of the container: now, or before it was restarted."""
    now = section(container, "state", "terminated")
    return now or section(container, "lastState", "terminated") or None


def _spec_of(pod: Raw, container: Raw) -> Raw:
    spec = section(pod, "spec")
    for item in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        if item.get("name") == container.get("name"):
            found: Raw = item
            return found
    return {}


def _name(pod: Raw) -> str:
    return str(section(pod, "metadata").get("name", ""))
