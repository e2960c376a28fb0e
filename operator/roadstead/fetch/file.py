"""The file that a fetch writes: parts at their offsets, read again for the digest."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from roadstead.errors import ContentError, VolumeError
from roadstead.fetch.journal import Journal
from roadstead.source.spans import CHUNK_BYTES, Span


def volume_error(error: OSError, path: Path) -> VolumeError:
    """Return the error for a failed operation on the volume."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = (
            f"{path.parent}: no space left; increase the volume's size (ephemeral-storage, disk)"
        )
        return VolumeError("VolumeFull", message)
    why = error.strerror or type(error).__name__
    return VolumeError("VolumeFailed", f"{path}: can't be written or read ({why})")


class PartFile:
    """The open file; reads and writes have offsets, so all threads share it."""

    def __init__(self, path: Path, size: int, *, keep: bool) -> None:
        """Open it at its full size, sparse, empty unless `keep`; raises VolumeError."""
        self.path = path
        self._writing = threading.Lock()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (0 if keep else os.O_TRUNC)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, flags, 0o644)
            os.ftruncate(self._file, size)
        except OSError as error:
            raise volume_error(error, path) from None

    def write(self, view: memoryview, at: int) -> None:
        """Write all of the view; raises VolumeError."""
        try:
            # The kernel allows one writer per file at a time; the others would spin.
            with self._writing:
                while view:
                    count = os.pwrite(self._file, view, at)
                    view, at = view[count:], at + count
        except OSError as error:
            raise volume_error(error, self.path) from None

    def read(self, span: Span) -> Iterator[memoryview]:
        """Read the bytes of a part, chunk by chunk; raises VolumeError."""
        buffer = memoryview(bytearray(CHUNK_BYTES))
        at = span.start
        while at < span.end:
            try:
                count = os.preadv(self._file, [buffer[: min(CHUNK_BYTES, span.end - at)]], at)
            except OSError as error:
                raise volume_error(error, self.path) from None
            if not count:
                raise VolumeError(
                    "VolumeFailed", f"{self.path}: the file is shorter than what was written"
                )
            at += count
            yield buffer[:count]

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class FileSink:
    """Writes parts to a PartFile."""

    def __init__(self, file: PartFile, journal: Journal) -> None:
        self._file = file
        self._journal = journal
        self._at = 0

    def begin(self, span: Span) -> None:
        """Start a part."""
        self._at = span.start

    def send(self, view: memoryview) -> None:
        """Write the part's next bytes."""
        self._file.write(view, self._at)
        self._at += len(view)

    def finish(self, span: Span) -> None:
        """Add the part to the journal."""
        try:
            self._journal.add(span.number)
        except OSError as error:
            raise volume_error(error, self._file.path) from None

    def reset(self) -> None:
        """Do nothing: no bytes are buffered."""


class Digest:
    """The sha256 of the file's bytes, in order."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def follow(self, view: memoryview) -> None:
        """Add the next bytes."""
        self._digest.update(view)

    def check(self, expected: str) -> None:
        """Raise ContentError if the digest differs."""
        if self._digest.hexdigest() != expected:
            raise ContentError(
                "DigestMismatch",
                f"the file's sha256 is {self._digest.hexdigest()}, expected {expected}: the object "
                "in the store or the volume is damaged; the file is removed",
            )
