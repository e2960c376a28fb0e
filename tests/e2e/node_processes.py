"""The processes of a pod, on the node, which is this machine."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path


def processes_of(pod_uid: str) -> list[int]:
    """The pids of a pod's processes, by their cgroup."""
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and f"pod{pod_uid}" in _read(entry / "cgroup")
    ]


@contextlib.contextmanager
def stopped(pod_uid: str) -> Iterator[None]:
    """Suspend a pod's processes while the block runs, as if its node were cut off."""
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
    """kill -9 a pod's processes with `command` in their command line; returns their number."""
    found = [pid for pid in processes_of(pod_uid) if command in _read(Path(f"/proc/{pid}/cmdline"))]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):  # Some exit with the first of them.
            os.kill(pid, signal.SIGKILL)
    return len(found)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
