"""One cgroup contains every process that the cluster starts: its own and those of pods.

Its name is fixed, so the processes in it are the cluster's even if all records are lost. Pods are
below it because it is the kubelet's cgroup root.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from dev.cluster.layout import CGROUP
from dev.errors import DevError

ROOT = Path("/sys/fs/cgroup")


def hierarchies(root: Path = ROOT) -> list[Path]:
    """The mounted hierarchies: a folder each under cgroup v1, only the root under v2."""
    if (root / "cgroup.controllers").exists():
        return [root]
    v1 = [each for each in root.iterdir() if each.is_dir() and not each.is_symlink()]
    return sorted(each for each in v1 if (each / "cgroup.procs").exists())


def create() -> None:
    """Create the cgroup in every hierarchy, with a leaf for processes outside of pods."""
    for hierarchy in hierarchies():
        ours = hierarchy / CGROUP
        ours.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # In cgroup v1, a cpuset accepts no process before it has CPUs and memory nodes.
            if (ours / setting).exists() and not (ours / setting).read_text().strip():
                (ours / setting).write_text((hierarchy / setting).read_text())
        if (hierarchy / "cgroup.controllers").exists():
            _delegate(hierarchy, ours)
    system_procs().parent.mkdir(exist_ok=True)


def _delegate(hierarchy: Path, ours: Path) -> None:
    """cgroup v2: a controller is available in a cgroup only if all parents delegate it."""
    for folder in (hierarchy, ours):
        for controller in (hierarchy / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def _tracking() -> Path:
    """The hierarchy that processes are found by: every process of the cluster is in it."""
    return ROOT / "pids" if (ROOT / "pids" / "cgroup.procs").exists() else hierarchies()[0]


def system_procs() -> Path:
    """The file that a process writes 0 to in order to join."""
    return _tracking() / CGROUP / "system" / "cgroup.procs"


def exists() -> bool:
    return any((hierarchy / CGROUP).exists() for hierarchy in hierarchies())


def pids() -> list[int]:
    """All processes in the cgroup, including those of pods."""
    found: list[int] = []
    for file in (_tracking() / CGROUP).rglob("cgroup.procs"):
        with contextlib.suppress(OSError):
            found += [int(line) for line in file.read_text().split()]
    return found


def kill_all(*, seconds: float = 20) -> None:
    """SIGKILL all processes in the cgroup until it is empty, since some may be forking."""
    deadline = time.monotonic() + seconds
    while left := pids():
        if time.monotonic() > deadline:
            raise DevError(f"processes {left} of the cluster do not exit; see `ps -fp` and dmesg")
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.05)


def remove(*, seconds: float = 10) -> None:
    """Remove the cgroup from every hierarchy, deepest first; exited processes stay briefly."""
    deadline = time.monotonic() + seconds
    while exists():
        for hierarchy in hierarchies():
            for folder in _deepest_first(hierarchy / CGROUP):
                with contextlib.suppress(OSError):
                    folder.rmdir()
        if time.monotonic() > deadline:
            raise DevError(f"cgroups named {CGROUP} under {ROOT} cannot be removed")
        time.sleep(0.02)


def _deepest_first(top: Path) -> list[Path]:
    folders = [path for path in top.rglob("*") if path.is_dir()] if top.exists() else []
    return [*sorted(folders, key=lambda path: len(path.parts), reverse=True), top]
