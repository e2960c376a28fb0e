"""The bytes of a gguf header as they arrive: each is read or passed over once, and then dropped.

The readers are generators: they yield where more bytes are needed, and continue there after
`HeaderInput.add`.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from typing import Any, Final, TypeVar

MAX_HEADER_BYTES: Final = 64 * 2**20
"""Real headers take a few MiB (the vocabulary); one that is longer than this is refused."""
MAX_ITEMS: Final = 2**22
"""Keys, tensors, strings and numbers that are read, all together: what bounds time and memory."""
U32: Final = struct.Struct("<I")
U64: Final = struct.Struct("<Q")

_T = TypeVar("_T")
Steps = Generator[None, None, _T]
"""Reads a value; yields where more bytes are needed."""


class InvalidGguf(ValueError):
    """The file is not a gguf file that could be served; the message says why."""


class HeaderInput:
    """The header of a file of `size` bytes, of which only the unread bytes are kept."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._buffer = bytearray()
        self._at = 0
        self._dropped = 0
        self._items = 0
        self.needed = 0
        """How many bytes of the file have to arrive before reading can continue."""

    @property
    def position(self) -> int:
        """Where in the file the next byte is read."""
        return self._dropped + self._at

    def add(self, view: memoryview | bytes) -> None:
        """The next bytes of the file."""
        del self._buffer[: self._at]
        self._dropped, self._at = self.position, 0
        self._buffer += view

    def count(self, items: int) -> None:
        """Note that so many items are about to be read."""
        self._items += items
        if self._items > MAX_ITEMS:
            raise InvalidGguf(f"its header has more than {MAX_ITEMS} keys, tensors and items")

    def skip(self, count: int) -> Steps[None]:
        """Pass over `count` bytes, which need not be there all at once."""
        end = self._end(count)
        while end > self._arrived:
            self._at = len(self._buffer)
            self.needed = end
            yield
        self._at = end - self._dropped

    def number(self, layout: struct.Struct) -> Steps[Any]:
        """A number; its type follows from the layout."""
        start = yield from self._taken(layout.size)
        return layout.unpack_from(self._buffer, start)[0]

    def numbers(self, layout: struct.Struct, count: int) -> Steps[tuple[Any, ...]]:
        """So many numbers of one layout."""
        self.count(count)
        start = yield from self._taken(count * layout.size)
        form = f"<{count}{layout.format[1:]}"
        return struct.unpack_from(form, self._buffer, start)

    def raw(self, count: int) -> Steps[bytes]:
        """So many bytes."""
        start = yield from self._taken(count)
        return bytes(self._buffer[start : start + count])

    def string(self, limit: int, what: str) -> Steps[bytes]:
        """A string of at most `limit` bytes; `what` names it in the message for a longer one."""
        length = yield from self.number(U64)
        if length > limit:
            raise InvalidGguf(f"{what} has {length} bytes, more than {limit}")
        return (yield from self.raw(length))

    def beginning(self, limit: int) -> Steps[bytes]:
        """The first bytes of a string, at most `limit`; the rest is passed over."""
        length = yield from self.number(U64)
        self._end(length)
        found = yield from self.raw(min(length, limit))
        yield from self.skip(length - len(found))
        return found

    def skip_strings(self, count: int) -> Steps[None]:
        """Pass over `count` strings."""
        self.count(count)
        left = count
        while left:
            left -= self._skip_arrived(left)
            if left:
                length = yield from self.number(U64)
                yield from self.skip(length)
                left -= 1

    def _skip_arrived(self, most: int) -> int:
        """Pass over strings that have arrived as a whole; how many. Most strings do."""
        unpack, buffer, at, passed = U64.unpack_from, self._buffer, self._at, 0
        end = min(len(buffer), self._limit - self._dropped)
        while passed < most and at + U64.size <= end:
            following = at + U64.size + unpack(buffer, at)[0]
            if following > end:
                break
            at = following
            passed += 1
        self._at = at
        return passed

    def _taken(self, count: int) -> Steps[int]:
        """Wait for `count` bytes in one piece, and go past them; where in the buffer they begin."""
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
        """Where `count` bytes end from here; InvalidGguf if that is not within a header."""
        end = self.position + count
        if end > self._size:
            raise InvalidGguf(f"the file ends within its header ({self._size} bytes)")
        if end > MAX_HEADER_BYTES:
            raise InvalidGguf(f"the header is longer than {MAX_HEADER_BYTES // 2**20} MiB")
        return end
