"""What a fetch leaves beside its file, so that a container that restarts goes on.

`<target>.part` is the file while it is fetched, `<target>.journal` says which parts of it are
there: a first line for what is fetched, then one number for each part. Once the file is verified,
`<target>.verified` says so, for as long as the machine stays up: nothing is synced to disk, so
after a crash of the machine the file is read again before it is believed.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Final

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def part_path(target: Path) -> Path:
    """The file while it is fetched."""
    return target.with_name(target.name + ".part")


def journal_path(target: Path) -> Path:
    """Which parts are there."""
    return target.with_name(target.name + ".journal")


def head(*, sha256: str, size: int, part_size: int) -> str:
    """The first line of a journal."""
    return json.dumps({"sha256": sha256, "size": size, "partSize": part_size})


def parse(text: str, first: str, parts: int) -> frozenset[int]:
    """The parts that are there, of `parts`; none where it is the journal of another fetch.

    A last line without its line feed was being written when the process died: it doesn't count.
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
        """The parts that an earlier run fetched."""
        try:
            text = self._path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return frozenset()
        return parse(text, self._first, self._parts)

    def begin(self, done: frozenset[int]) -> None:
        """Write it anew; raises OSError."""
        lines = [self._first, *(str(number) for number in sorted(done))]
        self._path.write_text("\n".join(lines) + "\n", encoding="ascii")

    def add(self, number: int) -> None:
        """A part is in the file; raises OSError."""
        with self._lock, self._path.open("a", encoding="ascii") as file:
            file.write(f"{number}\n")


class Seal:
    """Says that the file at `target` was verified, since the machine was started."""

    def __init__(self, target: Path, sha256: str, boot_id: str) -> None:
        self._target = target
        self._path = target.with_name(target.name + ".verified")
        self._sha256 = sha256
        self._boot_id = boot_id

    def holds(self) -> bool:
        """Whether the file is the one that was verified."""
        try:
            return self._path.read_text(encoding="ascii") == self._text()
        except (OSError, UnicodeDecodeError):
            return False

    def write(self) -> None:
        """The file is verified; raises OSError."""
        self._path.write_text(self._text(), encoding="ascii")

    def _text(self) -> str:
        found = self._target.stat()
        return json.dumps([self._sha256, found.st_size, found.st_mtime_ns, self._boot_id])


def boot_id() -> str:
    """Changes whenever the machine is started; "" where the kernel doesn't say."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
