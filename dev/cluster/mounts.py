"""Mounts that the cluster leaves in its folders."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from dev.cluster.shell import run
from dev.errors import DevError


def below(mountinfo: str, folders: Iterable[Path]) -> list[str]:
    """Mount points below the folders in /proc/self/mountinfo, last mounted (deepest) first.

    Blanks and similar characters are octal escapes in it (proc_pid_mountinfo(5)).
    """
    points = [_unescape(line.split()[4]) for line in mountinfo.splitlines() if line]
    prefixes = [f"{folder}/" for folder in folders]
    return [point for point in reversed(points) if f"{point}/".startswith(tuple(prefixes))]


def unmount_below(*folders: Path) -> None:
    """Lazily unmount everything that is mounted below the folders."""
    for _ in range(10):
        points = below(Path("/proc/self/mountinfo").read_text(), folders)
        if not points:
            return
        for point in points:
            run("umount", "--lazy", point)
    raise DevError(f"still mounted: {', '.join(points)}")


def remove_tree(folder: Path) -> None:
    """Remove one of the cluster's folders, but nothing that is mounted in it."""
    unmount_below(folder)
    if os.path.lexists(folder):
        shutil.rmtree(folder)


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
