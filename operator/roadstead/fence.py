"""Whether this process may write: asked at the seams, right before a request is sent.

One operator leads at a time, by a Lease. What it starts (transfers) writes on its behalf, so the
moment until which it may lies in memory that both share: a leader that is stopped renews nothing,
and what it started ends by itself.
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
    """Seconds of a clock that nobody can set, one for all processes of a machine.

    It goes on while a process is stopped and while the machine sleeps (CLOCK_BOOTTIME).
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Fence:
    """The moment until which writing is allowed: one aligned double, so it is never half written.

    `fd` is the memory to hand to processes that are to obey it as well; -1 if it can't be.
    """

    def __init__(self, cell: memoryview[float], fd: int = -1) -> None:
        self._cell = cell
        self.fd = fd

    @classmethod
    def open(cls) -> Self:
        """Lets everything through: where there is no Lease."""
        return cls(memoryview(array("d", [FOREVER])))

    @classmethod
    def shared(cls, until: float = NEVER) -> Self:
        """In memory that processes we start inherit; `until` is the first value."""
        fence = cls.inherited(os.memfd_create("roadstead-fence"), size=_BYTES)
        fence.move(until)
        return fence

    @classmethod
    def inherited(cls, fd: int, *, size: int = 0) -> Self:
        """What `shared` made in the process that started this one; OSError where it is not that."""
        if size:
            os.ftruncate(fd, size)
        return cls(memoryview(mmap.mmap(fd, _BYTES)).cast("d"), fd)

    def move(self, until: float) -> None:
        """Writing is allowed until then, by `now()`; NEVER ends it at once."""
        self._cell[0] = until

    def left(self) -> float:
        """Seconds for which writing is still allowed; 0 or less if it is not."""
        return self._cell[0] - now()

    def check(self) -> None:
        """Raise LeaseLost unless writing is allowed now."""
        if self.left() <= 0:
            raise LeaseLost("the Lease is not held any more: nothing is written")
