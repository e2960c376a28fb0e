"""Files of a folder that a Secret is mounted in, or that is written like one."""

from __future__ import annotations

from pathlib import Path

from roadstead.errors import InvalidSettings


def files_of(folder: Path) -> dict[str, bytes]:
    """The contents by name, without the mount's own bookkeeping; InvalidSettings if unreadable."""
    try:
        return {
            path.name: path.read_bytes()
            for path in sorted(folder.iterdir())
            if path.is_file() and not path.name.startswith(".")
        }
    except OSError as error:
        raise InvalidSettings(f"{folder} can't be read: {error.strerror}") from None
