"""A cgroup of less weight, for tests that run beside others, which get the CPU first.

`nice` does not do that. The kernel gives each session a share of its own (sched_autogroup), and the
servers that tests start are sessions of their own.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev.cluster.cgroups import ROOT, hierarchies
from dev.errors import DevError

NAME = "roadstead-background"
WEIGHTS = {"cpu.shares": "512", "cpu.weight": "50"}
"""Half of what each other session has, under cgroup v1 and under v2."""
_CONTROLLER = "+cpu"


@contextlib.contextmanager
def background(root: Path = ROOT) -> Iterator[Path]:
    """The file that a process writes 0 to in order to join, for as long as the block lasts.

    Raises DevError where the CPU controller is missing or the caller is not root.
    """
    folder = _made(root)
    try:
        yield folder / "cgroup.procs"
    finally:
        # What still ends in it keeps it; the next run takes it as it is.
        with contextlib.suppress(OSError):
            folder.rmdir()


def joining(procs: Path, argv: Sequence[str]) -> Sequence[str]:
    """A command that runs `argv` in the cgroup, with all that it starts."""
    return ("/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"', str(procs), *argv)


def _made(root: Path) -> Path:
    for hierarchy in hierarchies(root):
        folder = hierarchy / NAME
        try:
            folder.mkdir(exist_ok=True)
            if (hierarchy / "cgroup.controllers").exists():
                (hierarchy / "cgroup.subtree_control").write_text(_CONTROLLER)
            if _weighed(folder):
                return folder
            folder.rmdir()
        except OSError as error:
            raise DevError(f"{folder} can't be set up: {error.strerror}; run it as root") from None
    raise DevError(f"no cgroup hierarchy under {root} has the CPU controller")


def _weighed(folder: Path) -> bool:
    """Give it its weight; whether the hierarchy has one to give."""
    for setting, weight in WEIGHTS.items():
        if (folder / setting).exists():
            (folder / setting).write_text(weight)
            return True
    return False
