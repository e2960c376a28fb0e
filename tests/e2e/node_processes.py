"""The processes of a pod, seen from the node that this machine is."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path


def processes_of(pod_uid: str) -> list[int]:
    """The pids of a pod's processes, by the cgroup that the kubelet put them in."""
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and f"pod{pod_uid}" in _read(entry / "cgroup")
    ]


@contextlib.contextmanager
def stopped(pod_uid: str) -> Iterator[None]:
    """A pod's processes get no time within it, as if their node were cut off."""
    found = processes_of(pod_uid)
    assert found, f"pod {pod_uid} has no processes here"
    for pid in found:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def kill_command(pod_uid: str, command: str) -> int:
    """kill -9 a pod's processes whose command line has `command` in it; how many there were."""
    found = [pid for pid in processes_of(pod_uid) if command in _read(Path(f"/proc/{pid}/cmdline"))]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):  # Others go with the first of them.
            os.kill(pid, signal.SIGKILL)
    return len(found)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
