"""Plans how an object is split: part size, connections and memory. Pure."""

from __future__ import annotations

import dataclasses
from typing import Final

MIB: Final = 2**20
MIN_PART_BYTES: Final = 16 * MIB
MAX_PARTS: Final = 9_000
"""S3 allows 10,000 parts."""
BUFFER_BUDGET_BYTES: Final = 160 * MIB
"""Limit of all part buffers, so that a transfer stays under 256 MiB in total."""
CHUNK_BYTES: Final = MIB // 4
"""Read and written in one step: small enough to stay in a core's cache."""
SPARE_BUFFERS: Final = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Span:
    """Part `number` (the first is 1): `size` bytes from `start`."""

    number: int
    start: int
    size: int

    @property
    def end(self) -> int:
        """The offset after its last byte."""
        return self.start + self.size


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """The plan for copying an object.

    `buffers` whole parts are kept in memory, so that they can be hashed in order while they
    arrive out of order. With 0, parts are only streamed, and the digest needs a second read.
    """

    size: int
    part_size: int
    connections: int
    buffers: int

    @property
    def spans(self) -> tuple[Span, ...]:
        """The parts, in order; the last may be short."""
        return tuple(
            Span(number=index + 1, start=start, size=min(self.part_size, self.size - start))
            for index, start in enumerate(range(0, self.size, self.part_size))
        )


def plan_layout(size: int, connections: int, *, part_size: int | None = None) -> Layout:
    """Split `size` bytes for at most `connections`; `part_size` is that of an existing upload."""
    part = part_size or default_part_size(size)
    parts = -(-size // part)
    wanted = max(1, min(connections, parts))
    affordable = BUFFER_BUDGET_BYTES // part - SPARE_BUFFERS
    # Half the connections with hashing are faster than all of them and a second read.
    if affordable * 2 >= wanted:
        used = min(wanted, affordable)
        return Layout(
            size=size, part_size=part, connections=used, buffers=min(used + SPARE_BUFFERS, parts)
        )
    return Layout(size=size, part_size=part, connections=wanted, buffers=0)


def default_part_size(size: int) -> int:
    """Return whole MiB such that at most MAX_PARTS are needed."""
    needed = -(-size // MAX_PARTS)
    return max(MIN_PART_BYTES, -(-needed // MIB) * MIB)
