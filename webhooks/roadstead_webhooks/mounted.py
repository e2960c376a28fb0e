"""Reads the files of a mounted Secret, or of a folder that is written like one."""

from __future__ import annotations

from pathlib import Path

from roadstead.errors import InvalidSettings


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the contents by name, without hidden files. Raises InvalidSettings if unreadable."""
    try:
        return {
            path.name: path.read_bytes()
            for path in sorted(folder.iterdir())
            if path.is_file() and not path.name.startswith(".")
        }
    except OSError as error:
        raise InvalidSettings(f"{folder} can't be read: {error.strerror}") from None
