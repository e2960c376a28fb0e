"""What keeps one pod of a server from being ready, in words that say what to do."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

from roadstead.api import exit_codes, server_log
from roadstead.api.pod_messages import one_line, words
from roadstead.api.raw import Raw, section

_NAME = 253
_NO_WORD = re.compile(r"^[^A-Za-z]+|[^A-Za-z0-9]+")

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
    """What to lower for a model that isn't known."""
    return "lower contextSize, parallel, contextCheckpoints or cacheRamMiB"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One observation of a pod; `severe` means that it does not pass by itself."""

    reason: str
    message: str
    severe: bool


def finding(pod: Raw, remedy: Remedy = memory_remedy) -> Finding | None:
    """What keeps a pod from being ready; None where it is.

    `remedy` says what to lower where a server runs out of memory.
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
            return _remedied(found, remedy)
    return Finding(reason="Starting", message=f"pod {_name(pod)} is being started", severe=False)


def _remedied(found: Finding, remedy: Remedy) -> Finding:
    if found.reason != _OUT_OF_MEMORY:
        return found
    said = f"raise spec.resources.limits.memory, or {remedy()} in spec.runtimeParams"
    return dataclasses.replace(found, message=f"{found.message}; {said}")


def is_ready(pod: Raw) -> bool:
    """Whether the pod's `Ready` condition holds."""
    return (_condition(pod, "Ready") or {}).get("status") == "True"


def _failed(pod: Raw) -> Finding:
    status = section(pod, "status")
    # The kubelet's may be no word, such as OutOfnvidia.com/gpu.
    reason = _NO_WORD.sub("", str(status.get("reason", ""))[:_NAME]) or "PodFailed"
    said = words(status.get("message") or "it failed without a message")
    return Finding(reason=reason, message=f"pod {_name(pod)}: {said}", severe=True)


def _unscheduled(pod: Raw) -> Finding | None:
    scheduled = _condition(pod, "PodScheduled")
    if not scheduled or scheduled.get("status") != "False":
        return None
    said = words(scheduled.get("message") or scheduled.get("reason") or "")
    return Finding(
        reason="Unschedulable", message=f"no node takes pod {_name(pod)}: {said}", severe=True
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
            message=f"pod {_name(pod)} can't fetch the model: {_ending(pod, container, ended)}",
            severe=True,
        )
    if "terminated" in state:
        return None
    return Finding(reason="Starting", message=f"pod {_name(pod)} is being started", severe=False)


def _fetching(pod: Raw, container: Raw, ended: Raw | None) -> str:
    text = f"pod {_name(pod)} fetches the model from the store"
    if not ended or ended.get("exitCode") == 0:
        return text
    attempt = container.get("restartCount", 0) + 1
    return f"{text}, attempt {attempt}; the last one: {_ending(pod, container, ended)}"


def _of_server(pod: Raw, container: Raw) -> Finding | None:
    if container.get("ready"):
        return None
    state = section(container, "state")
    if "waiting" in state and (waiting := _of_waiting(pod, container)):
        return waiting
    if ended := _terminated(container):
        return _crashed(pod, container, ended)
    if "running" in state and not (container.get("started") and _was_ready(pod, state)):
        return Finding(reason="Loading", message=f"pod {_name(pod)} loads the model", severe=False)
    if "running" in state:
        return Finding(
            reason="NotAnswering",
            message=f"pod {_name(pod)} runs but does not answer at /health",
            severe=True,
        )
    return Finding(reason="Starting", message=f"pod {_name(pod)} is being started", severe=False)


def _was_ready(pod: Raw, state: Raw) -> bool:
    """Whether the pod was ready since its server began to run, so that it has ceased to be.

    Between the startup probe and the first readiness probe it has not been yet.
    """
    since = (_condition(pod, "Ready") or {}).get("lastTransitionTime", "")
    return bool(since > section(state, "running").get("startedAt", ""))


def _of_waiting(pod: Raw, container: Raw) -> Finding | None:
    waiting = section(container, "state", "waiting")
    reason = waiting.get("reason", "")
    said = words(waiting.get("message") or reason)
    if reason in _IMAGE:
        image = str(container.get("image") or _spec_of(pod, container).get("image", ""))[:_NAME]
        return Finding(
            reason="ImagePullFailed",
            message=f"pod {_name(pod)} can't have the image {image}: {said}",
            severe=True,
        )
    if reason in _CONFIGURATION:
        return Finding(
            reason="InvalidConfiguration",
            message=f"pod {_name(pod)} can't start {container.get('name')}: {said}",
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
    said = ": ".join(filter(None, (_exit(ended), _cause(pod, ended))))
    return Finding(
        reason="CrashLooping",
        message=f"pod {_name(pod)}: {container.get('name')} {said}{again}",
        severe=True,
    )


def _cause(pod: Raw, ended: Raw) -> str:
    """What the exit code and the log say of it. A process that is killed doesn't log why."""
    code, log = ended.get("exitCode"), str(ended.get("message") or "")
    meaning = exit_codes.meaning(code)
    if code == exit_codes.KILLED:
        return meaning
    found = one_line(server_log.causes(log))
    if not found and server_log.ends_with_stack_trace(log):
        found = f"`kubectl logs --previous {_name(pod)}` shows why, above the stack trace"
    return "; ".join(filter(None, (meaning, found)))


def _ending(pod: Raw, container: Raw, ended: Raw) -> str:
    if ended.get("reason") == "OOMKilled":
        return _out_of_memory(pod, container)
    said = words(ended.get("message") or "")
    return f"{_exit(ended)}: {said}" if said else _exit(ended)


def _exit(ended: Raw) -> str:
    return f"ended with exit code {ended.get('exitCode')}"


def _out_of_memory(pod: Raw, container: Raw) -> str:
    limit = section(_spec_of(pod, container), "resources", "limits").get("memory")
    name = container.get("name")
    if limit is None:
        return f"{name} was killed because the node ran out of memory"
    return f"{name} was killed because it used more memory than its limit of {limit}"


def _terminated(container: Raw) -> Raw | None:
    """How the container ended last: now, or before it was started again."""
    now = section(container, "state", "terminated")
    return now or section(container, "lastState", "terminated") or None


def _spec_of(pod: Raw, container: Raw) -> Raw:
    spec = section(pod, "spec")
    for item in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        if item.get("name") == container.get("name"):
            found: Raw = item
            return found
    return {}


def _condition(pod: Raw, type_: str) -> Raw | None:
    for item in section(pod, "status").get("conditions") or ():
        if item.get("type") == type_:
            found: Raw = item
            return found
    return None


def _name(pod: Raw) -> str:
    return str(section(pod, "metadata").get("name", ""))
