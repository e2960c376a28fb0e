"""The per-user cache that all checkouts on a machine share.

Entries are keyed by version and content: checkouts with different inputs have different entries,
and checkouts with the same inputs share one build.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dev.terminal import echo


def root(env: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_CACHE_HOME/roadstead`; unset or relative means ~/.cache (XDG Base Directory spec)."""
    configured = env.get("XDG_CACHE_HOME", "")
    base = (
        Path(configured)
        if configured.startswith("/")
        else Path(env.get("HOME") or Path.home()) / ".cache"
    )
    return base / "roadstead"


def key(*parts: str | bytes) -> str:
    """12 hex digits over the parts and their lengths: ("ab", "c") differs from ("a", "bc")."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:12]


def file_digest(path: Path) -> str:
    """The file's sha256 in hex; reads it in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def lock(name: str, *, directory: Path | None = None) -> Iterator[None]:
    """Hold the machine-wide lock `name`; print a line if another process has it, and wait.

    The kernel releases the lock when its holder exits: a killed build leaves nothing to clean up.
    """
    folder = directory or root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            echo(f"waiting for another process that is building {name}")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextmanager
def staging(final: Path) -> Iterator[Path]:
    """A new folder beside `final`; its content is moved there atomically by `os.replace`."""
    final.parent.mkdir(parents=True, exist_ok=True)
    folder = final.parent / f".{final.name}.{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
