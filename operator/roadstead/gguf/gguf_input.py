"""The bytes of a gguf header as they arrive: each is read or skipped once, and then dropped.

The readers are generators: they yield if more bytes are needed, and continue after
`HeaderInput.add`.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from typing import Any, Final, TypeVar

MAX_HEADER_BYTES: Final = 64 * 2**20
"""Real headers have a few MiB (the vocabulary); longer ones than this are refused."""
MAX_ITEMS: Final = 2**22
"""The most keys, tensors, strings and numbers in total; this bounds time and memory."""
U32: Final = struct.Struct("<I")
U64: Final = struct.Struct("<Q")

_T = TypeVar("_T")
Steps = Generator[None, None, _T]
"""Reads a value; yields if more bytes are needed."""


class InvalidGguf(ValueError):
    """The file is not a gguf file that llama-server can serve; the message has the reason."""


class HeaderInput:
    """The header of a file of `size` bytes; it keeps only the unread bytes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._buffer = bytearray()
        self._at = 0
        self._dropped = 0
        self._items = 0
        self.needed = 0
        """How many bytes of the file must arrive before reading can continue."""

    @property
    def position(self) -> int:
        """The offset in the file of the next byte."""
        return self._dropped + self._at

    def add(self, view: memoryview | bytes) -> None:
        """Append the next bytes of the file."""
        del self._buffer[: self._at]
        self._dropped, self._at = self.position, 0
        self._buffer += view

    def count(self, items: int) -> None:
        """Count items before they are read. Raises InvalidGguf above MAX_ITEMS."""
        self._items += items
        if self._items > MAX_ITEMS:
            raise InvalidGguf(f"its header has more than {MAX_ITEMS} keys, tensors and items")

    def skip(self, count: int) -> Steps[None]:
        """Skip `count` bytes, which need not arrive at once."""
        end = self._end(count)
        while end > self._arrived:
            self._at = len(self._buffer)
            self.needed = end
            yield
        self._at = end - self._dropped

    def number(self, layout: struct.Struct) -> Steps[Any]:
        """A number in the type of the layout."""
        start = yield from self._take(layout.size)
        return layout.unpack_from(self._buffer, start)[0]

    def numbers(self, layout: struct.Struct, count: int) -> Steps[tuple[Any, ...]]:
        """`count` numbers of one layout."""
        self.count(count)
        start = yield from self._take(count * layout.size)
        form = f"<{count}{layout.format[1:]}"
        return struct.unpack_from(form, self._buffer, start)

    def raw(self, count: int) -> Steps[bytes]:
        """`count` bytes."""
        start = yield from self._take(count)
        return bytes(self._buffer[start : start + count])

    def string(self, limit: int, what: str) -> Steps[bytes]:
        """A string of at most `limit` bytes; `what` names it in the message for a longer one."""
        length = yield from self.number(U64)
        if length > limit:
            raise InvalidGguf(f"{what} has {length} bytes, more than {limit}")
        return (yield from self.raw(length))

    def beginning(self, limit: int) -> Steps[bytes]:
        """The first bytes of a string, at most `limit`; the rest is skipped."""
        length = yield from self.number(U64)
        self._end(length)
        found = yield from self.raw(min(length, limit))
        yield from self.skip(length - len(found))
        return found

    def skip_strings(self, count: int) -> Steps[None]:
        """Skip `count` strings."""
        self.count(count)
        remaining = count
        while remaining:
            remaining -= self._skip_arrived(remaining)
            if remaining:
                length = yield from self.number(U64)
                yield from self.skip(length)
                remaining -= 1

    def _skip_arrived(self, most: int) -> int:
        """Skip strings that have arrived completely, as most do, and return their number."""
        unpack, buffer, at, skipped = U64.unpack_from, self._buffer, self._at, 0
        end = min(len(buffer), self._limit - self._dropped)
        while skipped < most and at + U64.size <= end:
            following = at + U64.size + unpack(buffer, at)[0]
            if following > end:
                break
            at = following
            skipped += 1
        self._at = at
        return skipped

    def _take(self, count: int) -> Steps[int]:
        """Wait for `count` contiguous bytes and consume them; return their start in the buffer."""
        end = self._end(count)
        while end > self._arrived:
            self.needed = end
            yield
        start = self._at
        self._at += count
        return start

    @property
    def _arrived(self) -> int:
        return self._dropped + len(self._buffer)

    @property
    def _limit(self) -> int:
        return min(self._size, MAX_HEADER_BYTES)

    def _end(self, count: int) -> int:
        """The end of the next `count` bytes. Raises InvalidGguf if it is outside the header."""
        end = self.position + count
        if end > self._size:
            raise InvalidGguf(f"the file ends within its header ({self._size} bytes)")
        if end > MAX_HEADER_BYTES:
            raise InvalidGguf(f"the header is longer than {MAX_HEADER_BYTES // 2**20} MiB")
        return end
