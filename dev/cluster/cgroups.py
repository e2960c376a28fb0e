"""One cgroup holds all that the cluster ever starts: its processes and its pods.

Its name is fixed, so what is in it is ours even if every record is lost, and nothing else is ours.
Pods are below it because the kubelet is told to use it as its cgroup root.
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
    """The mounted hierarchies: one folder each under cgroup v1, the root alone under v2."""
    if (root / "cgroup.controllers").exists():
        return [root]
    v1 = [each for each in root.iterdir() if each.is_dir() and not each.is_symlink()]
    return sorted(each for each in v1 if (each / "cgroup.procs").exists())


def create() -> None:
    """Make the cgroup in every hierarchy, with a leaf for the processes that are no pods."""
    for hierarchy in hierarchies():
        ours = hierarchy / CGROUP
        ours.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # A cpuset of cgroup v1 takes no process before it has CPUs and memory nodes.
            if (ours / setting).exists() and not (ours / setting).read_text().strip():
                (ours / setting).write_text((hierarchy / setting).read_text())
        if (hierarchy / "cgroup.controllers").exists():
            _delegate(hierarchy, ours)
    system_procs().parent.mkdir(exist_ok=True)


def _delegate(hierarchy: Path, ours: Path) -> None:
    """cgroup v2: a controller is there below a cgroup only if each cgroup above hands it down."""
    for folder in (hierarchy, ours):
        for controller in (hierarchy / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def _tracking() -> Path:
    """The hierarchy by which processes are found: every one of ours is in it."""
    return ROOT / "pids" if (ROOT / "pids" / "cgroup.procs").exists() else hierarchies()[0]


def system_procs() -> Path:
    """The file that a process writes 0 to in order to join."""
    return _tracking() / CGROUP / "system" / "cgroup.procs"


def exists() -> bool:
    return any((hierarchy / CGROUP).exists() for hierarchy in hierarchies())


def pids() -> list[int]:
    """All processes in the cgroup, pods included."""
    found: list[int] = []
    for file in (_tracking() / CGROUP).rglob("cgroup.procs"):
        with contextlib.suppress(OSError):
            found += [int(line) for line in file.read_text().split()]
    return found


def kill_all(*, seconds: float = 20) -> None:
    """SIGKILL whatever is in the cgroup, again until it is empty: something may be forking."""
    deadline = time.monotonic() + seconds
    while left := pids():
        if time.monotonic() > deadline:
            raise DevError(f"processes {left} of the cluster do not end; see `ps -fp` and dmesg")
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.05)


def remove(*, seconds: float = 10) -> None:
    """Remove the cgroup from every hierarchy, deepest first; an ended process lingers a moment."""
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
