"""The files that a fetch writes beside its target, so that a restarted container resumes.

`<target>.part` is the file while it is fetched. `<target>.journal` lists its parts: the first line
identifies the download, then follows one number for each part. `<target>.verified` marks a
verified file until the machine restarts: nothing is synced to disk, so the file is read again
after a crash of the machine.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Final

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def part_path(target: Path) -> Path:
    """Return the path of the file while it is fetched."""
    return target.with_name(target.name + ".part")


def journal_path(target: Path) -> Path:
    """Return the path of the journal."""
    return target.with_name(target.name + ".journal")


def journal_head(*, sha256: str, size: int, part_size: int) -> str:
    """Return the first line of a journal."""
    return json.dumps({"sha256": sha256, "size": size, "partSize": part_size})


def parse_journal(text: str, first: str, parts: int) -> frozenset[int]:
    """Return the numbers of the parts; empty if it is the journal of another download.

    A last line without a line feed is ignored: the process was killed while it wrote the line.
    """
    lines = text.split("\n")
    if lines[0] != first or len(lines) == 1:
        return frozenset()
    numbers = (int(line) for line in lines[1:-1] if line.isascii() and line.isdigit())
    return frozenset(number for number in numbers if 1 <= number <= parts)


class Journal:
    """The journal of one fetch; `add` may be called from any thread."""

    def __init__(self, target: Path, first: str, parts: int) -> None:
        self._path = journal_path(target)
        self._first = first
        self._parts = parts
        self._lock = threading.Lock()

    def load(self) -> frozenset[int]:
        """Return the parts that an earlier run fetched."""
        try:
            text = self._path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return frozenset()
        return parse_journal(text, self._first, self._parts)

    def begin(self, done: frozenset[int]) -> None:
        """Write a new journal; raises OSError."""
        lines = [self._first, *(str(number) for number in sorted(done))]
        self._path.write_text("\n".join(lines) + "\n", encoding="ascii")

    def add(self, number: int) -> None:
        """Add a part; raises OSError."""
        with self._lock, self._path.open("a", encoding="ascii") as file:
            file.write(f"{number}\n")


class Seal:
    """Marks the file at `target` as verified since the machine was started."""

    def __init__(self, target: Path, sha256: str, boot_id: str) -> None:
        self._target = target
        self._path = target.with_name(target.name + ".verified")
        self._sha256 = sha256
        self._boot_id = boot_id

    def is_valid(self) -> bool:
        """Whether the file is the verified one."""
        try:
            return self._path.read_text(encoding="ascii") == self._text()
        except (OSError, UnicodeDecodeError):
            return False

    def write(self) -> None:
        """Mark the file as verified; raises OSError."""
        self._path.write_text(self._text(), encoding="ascii")

    def _text(self) -> str:
        found = self._target.stat()
        return json.dumps([self._sha256, found.st_size, found.st_mtime_ns, self._boot_id])


def boot_id() -> str:
    """Return an id that changes when the machine is started, or "" if it is unknown."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
