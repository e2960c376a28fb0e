"""A cgroup with less weight, for tests that run beside others, which get the CPU first.

`nice` can't do that: the kernel gives each session its own share (sched_autogroup), and the
servers that tests start are in sessions of their own.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev.cluster.cgroups import ROOT, hierarchies
from dev.errors import DevError

NAME = "roadstead-background"
WEIGHTS = {"cpu.shares": "512", "cpu.weight": "50"}
"""Half of the weight of every other session, under cgroup v1 and v2."""
_CONTROLLER = "+cpu"


@contextlib.contextmanager
def background(root: Path = ROOT) -> Iterator[Path]:
    """Yield the file that a process writes 0 to in order to join, while the block runs.

    Raises DevError if the CPU controller is missing or the caller is not root.
    """
    folder = _create(root)
    try:
        yield folder / "cgroup.procs"
    finally:
        # Fails while processes are left in it; the next run reuses it.
        with contextlib.suppress(OSError):
            folder.rmdir()


def wrap_command(procs: Path, argv: Sequence[str]) -> Sequence[str]:
    """A command that runs `argv` and its child processes in the cgroup."""
    return ("/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"', str(procs), *argv)


def _create(root: Path) -> Path:
    for hierarchy in hierarchies(root):
        folder = hierarchy / NAME
        try:
            folder.mkdir(exist_ok=True)
            if (hierarchy / "cgroup.controllers").exists():
                (hierarchy / "cgroup.subtree_control").write_text(_CONTROLLER)
            if _set_weight(folder):
                return folder
            folder.rmdir()
        except OSError as error:
            raise DevError(f"cannot set up {folder}: {error.strerror}; run as root") from None
    raise DevError(f"no cgroup hierarchy under {root} has the CPU controller")


def _set_weight(folder: Path) -> bool:
    """Set the cgroup's weight; whether this hierarchy has the CPU controller."""
    for setting, weight in WEIGHTS.items():
        if (folder / setting).exists():
            (folder / setting).write_text(weight)
            return True
    return False
