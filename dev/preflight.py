"""Checks the machine's requirements before anything is built, and reports all at once."""

import os
import shutil
from collections.abc import Iterator

from dev import binaries, cache
from dev.errors import DevError, MissingTool

GIB = 2**30
BUILD_BYTES = 16 * GIB
"""For a build with empty caches: Go's caches, the images' storage, the node's images."""
IMAGE_BYTES = 6 * GIB
"""For a build with compiled programs."""
RUN_BYTES = 3 * GIB
"""For the cluster alone: the node's images, the model in two stores and in a pod."""


def check(*, compiles: bool, builds: bool) -> None:
    """Raise MissingTool with a line for each missing requirement.

    `compiles`: Go programs must be compiled; `builds`: anything must be built or downloaded.
    """
    needed = BUILD_BYTES if compiles else IMAGE_BYTES if builds else RUN_BYTES
    if problems := list(_problems(needs_go=compiles, needed=needed)):
        raise MissingTool("\n".join(problems))


def _problems(*, needs_go: bool, needed: int) -> Iterator[str]:
    if os.geteuid() != 0:
        yield "the local cluster requires root (mounts, network, cgroups): use sudo"
    if needs_go:
        try:
            binaries.require_go()
        except DevError as error:
            yield str(error)
    yield from disk_problems(needed, free_bytes())


def free_bytes() -> int:
    """Free space on the cache's file system."""
    folder = cache.root()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def disk_problems(needed: int, free: int) -> Iterator[str]:
    """A line if the disk has too little space."""
    if free < needed:
        yield (
            f"{needed / GIB:.0f} GiB of free disk are required at {cache.root()}, "
            f"{free / GIB:.1f} GiB are free: delete files, or set XDG_CACHE_HOME to a larger disk "
            "(also GOCACHE and GOMODCACHE, for Go's own caches)"
        )
