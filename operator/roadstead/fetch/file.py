"""The file that a fetch writes: parts at their places, read again for the digest."""

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
    """What can't be done with the volume, and what helps."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = f"{path.parent}: no space left; give the volume more (ephemeral-storage, disk)"
        return VolumeError("VolumeFull", message)
    why = error.strerror or type(error).__name__
    return VolumeError("VolumeFailed", f"{path}: can't be written or read ({why})")


class PartFile:
    """The file, open; writes and reads name their places, so all threads share it."""

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
            # The kernel lets one writer into a file at a time; the others would spin for it.
            with self._writing:
                while view:
                    count = os.pwrite(self._file, view, at)
                    view, at = view[count:], at + count
        except OSError as error:
            raise volume_error(error, self.path) from None

    def read(self, span: Span) -> Iterator[memoryview]:
        """The bytes of a part, chunk by chunk; raises VolumeError."""
        buffer = memoryview(bytearray(CHUNK_BYTES))
        at = span.start
        while at < span.end:
            try:
                count = os.preadv(self._file, [buffer[: min(CHUNK_BYTES, span.end - at)]], at)
            except OSError as error:
                raise volume_error(error, self.path) from None
            if not count:
                raise VolumeError("VolumeFailed", f"{self.path}: is shorter than it was written")
            at += count
            yield buffer[:count]

    def close(self) -> None:
        """Close it."""
        os.close(self._file)


class FileSink:
    """Takes parts for a PartFile."""

    def __init__(self, file: PartFile, journal: Journal) -> None:
        self._file = file
        self._journal = journal
        self._at = 0

    def begin(self, span: Span) -> None:
        """The next bytes belong to this part."""
        self._at = span.start

    def send(self, view: memoryview) -> None:
        """Write them."""
        self._file.write(view, self._at)
        self._at += len(view)

    def finish(self, span: Span) -> None:
        """The part is in the file."""
        try:
            self._journal.add(span.number)
        except OSError as error:
            raise volume_error(error, self._file.path) from None

    def reset(self) -> None:
        """Nothing is held."""


class Digest:
    """sha256 over the file's bytes, in order."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def follow(self, view: memoryview) -> None:
        """Take the next bytes."""
        self._digest.update(view)

    def check(self, expected: str) -> None:
        """Raise ContentError where it is another one."""
        if self._digest.hexdigest() != expected:
            raise ContentError(
                "DigestMismatch",
                f"the file's sha256 is {self._digest.hexdigest()}, not {expected}: the store's "
                "object or the volume is damaged; the file is removed",
            )
