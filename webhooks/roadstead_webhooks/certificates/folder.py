"""Replaces files atomically with one rename, as the kubelet does for a mounted Secret."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_DATA: Final = "..data"


def publish(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Replace the files of `folder`; return False if it has the same files already.

    The files are readable by this user only. Raises OSError.
    """
    if _read(folder) == dict(files):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    before = os.readlink(folder / _DATA) if (folder / _DATA).is_symlink() else ""
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    for name, content in files.items():
        (fresh / name).touch(mode=0o600)
        (fresh / name).write_bytes(content)
    _link(folder / _DATA, fresh.name)
    for name in files:
        _link(folder / name, f"{_DATA}/{name}")
    for stale in folder.iterdir():
        if stale.name not in files and not stale.name.startswith(".."):
            stale.unlink()
    if before:
        shutil.rmtree(folder / before, ignore_errors=True)
    return True


def _read(folder: Path) -> dict[str, bytes]:
    with contextlib.suppress(OSError):
        return {path.name: path.read_bytes() for path in (folder / _DATA).iterdir()}
    return {}


def _link(link: Path, target: str) -> None:
    """Create or replace a symlink atomically."""
    if link.is_symlink() and os.readlink(link) == target:
        return
    temporary = link.with_name(f"..{link.name.lstrip('.')}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.rename(link)
