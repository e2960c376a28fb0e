"""How an object is cut: part size, connections and memory. Pure."""

from __future__ import annotations

import dataclasses
from typing import Final

MIB: Final = 2**20
MIN_PART_BYTES: Final = 16 * MIB
MAX_PARTS: Final = 9_000
"""S3 allows 10,000 parts."""
BUFFER_BUDGET_BYTES: Final = 160 * MIB
"""What part buffers may take, so that a transfer stays under 256 MiB in all."""
CHUNK_BYTES: Final = MIB // 4
"""Read and handed on at once: small enough to stay in a core's cache in between."""
SPARE_BUFFERS: Final = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Span:
    """Part `number`, counting from 1: `size` bytes from `start`."""

    number: int
    start: int
    size: int

    @property
    def end(self) -> int:
        """The first byte after it."""
        return self.start + self.size


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """How an object is moved.

    `buffers` whole parts are held in memory, so that they can be hashed in order while they
    arrive out of order; with 0 parts only pass through, and the digest needs another reading.
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


def layout(size: int, connections: int, *, part_size: int | None = None) -> Layout:
    """Cut `size` bytes for at most `connections`; `part_size` where an upload has one already."""
    part = part_size or default_part_size(size)
    parts = -(-size // part)
    wanted = max(1, min(connections, parts))
    affordable = BUFFER_BUDGET_BYTES // part - SPARE_BUFFERS
    # Half the connections hashed on the way beat all of them and another reading.
    if affordable * 2 >= wanted:
        used = min(wanted, affordable)
        return Layout(
            size=size, part_size=part, connections=used, buffers=min(used + SPARE_BUFFERS, parts)
        )
    return Layout(size=size, part_size=part, connections=wanted, buffers=0)


def default_part_size(size: int) -> int:
    """Whole MiB, so that at most MAX_PARTS are needed."""
    needed = -(-size // MAX_PARTS)
    return max(MIN_PART_BYTES, -(-needed // MIB) * MIB)
