"""Whether this process may write; checked right before a request is sent.

One operator leads at a time, by a Lease. The transfers that it starts write too, so the deadline is
in memory that they share: if the leader stops renewing, its transfers exit.
"""

from __future__ import annotations

import mmap
import os
import time
from array import array
from typing import Final, Self

from roadstead.errors import LeaseLost

FOREVER: Final = float("inf")
NEVER: Final = float("-inf")
_BYTES: Final = 8


def now() -> float:
    """Return the seconds of a clock that can't be set, the same for all processes of a machine.

    It advances while a process is stopped and while the machine sleeps (CLOCK_BOOTTIME).
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Fence:
    """The deadline of writes: one aligned double, so that it is never partially written.

    `fd` is the memory to pass to other processes; -1 if it can't be shared.
    """

    def __init__(self, cell: memoryview[float], fd: int = -1) -> None:
        self._cell = cell
        self.fd = fd

    @classmethod
    def open(cls) -> Self:
        """Create a fence that allows everything, for use without a Lease."""
        return cls(memoryview(array("d", [FOREVER])))

    @classmethod
    def shared(cls, until: float = NEVER) -> Self:
        """Create a fence in memory that child processes inherit; `until` is its first deadline."""
        fence = cls.inherited(os.memfd_create("roadstead-fence"), size=_BYTES)
        fence.move(until)
        return fence

    @classmethod
    def inherited(cls, fd: int, *, size: int = 0) -> Self:
        """Open the fence that the parent process created by `shared`; OSError if it is not one."""
        if size:
            os.ftruncate(fd, size)
        return cls(memoryview(mmap.mmap(fd, _BYTES)).cast("d"), fd)

    def move(self, until: float) -> None:
        """Allow writes until this time, by `now()`; NEVER forbids them at once."""
        self._cell[0] = until

    def left(self) -> float:
        """Return the seconds for which writes are allowed; 0 or less if they are not."""
        return self._cell[0] - now()

    def check(self) -> None:
        """Raise LeaseLost unless writes are allowed now."""
        if self.left() <= 0:
            raise LeaseLost("the Lease is no longer held: writes are stopped")
