"""The previous version, from which an upgrade starts.

It is the commit before this checkout's, chart and image, from `git archive`. A checkout without
history (a shallow clone, an unpacked archive) has none: then it is this version under another
image name, so that an upgrade still replaces every pod of the chart.
"""

import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from dev import cache
from dev.images import ensure_from, reference
from dev.terminal import echo

CHECKOUT = Path(__file__).parents[2]
IMAGE = "roadstead-previous"
COMMIT = "HEAD~1"
KEPT = 3
"""Commits whose files stay in the cache."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """A checkout's files, and the image that was built from them."""

    name: str
    """The commit, or `this one`."""
    checkout: Path
    image: str
    archive: Path


def ensure() -> Version:
    """The previous version; its image is built if it is missing."""
    commit = _git("rev-parse", "--verify", "--quiet", f"{COMMIT}^{{commit}}").decode().strip()
    if not commit:
        echo(f"no commit {COMMIT} in {CHECKOUT}: using this version as the previous one")
    tree = _extract(commit) if commit else CHECKOUT
    return Version(
        name=commit[:12] or "this one",
        checkout=tree,
        image=reference(IMAGE),
        archive=ensure_from(tree, IMAGE),
    )


def _extract(commit: str) -> Path:
    """The commit's files, in the cache."""
    folder = cache.root() / "previous" / commit
    if not folder.exists():
        with cache.staging(folder) as staged, cache.lock("previous"):
            data = _git("archive", "--format=tar", "--prefix=files/", commit)
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                tar.extractall(staged, filter="data")
            if not folder.exists():
                os.replace(staged / "files", folder)
                _delete_old(folder.parent)
    return folder


def _delete_old(folder: Path) -> None:
    trees = [path for path in folder.iterdir() if not path.name.startswith(".")]
    for old in sorted(trees, key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old)


def _git(*arguments: str) -> bytes:
    """Output of git; empty without git, or if it fails."""
    command = ["git", "-C", str(CHECKOUT), *arguments]
    try:
        return subprocess.run(command, capture_output=True).stdout
    except FileNotFoundError:
        return b""
