"""The metadata of a gguf header: only the keys and arrays that a GgufHeader needs are kept."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import Final, TypeGuard

from roadstead.gguf.gguf_input import U32, U64, HeaderInput, InvalidGguf, Steps
from roadstead.gguf.gguf_memory import MEMORY_KEYS
from roadstead.gguf.gguf_types import (
    NUMBERS,
    STRING,
    U16_VALUE,
    U32_VALUE,
    VALUE_ARRAY,
    VALUE_TYPES,
)

ARCHITECTURE: Final = "general.architecture"
NAME: Final = "general.name"
FILE_TYPE: Final = "general.file_type"
ALIGNMENT: Final = "general.alignment"
TYPE: Final = "general.type"
ADAPTER_TYPE: Final = "adapter.type"
SPLIT_NO: Final = "split.no"
SPLIT_COUNT: Final = "split.count"
OF_ARCHITECTURE: Final = (
    "context_length",
    "block_count",
    "embedding_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.sliding_window",
    "expert_count",
    "pooling_type",
    *sorted(set(MEMORY_KEYS.values()) - {"attention.head_count_kv"}),
)
"""The keys of the architecture that are read, such as `llama.block_count`."""

MAX_KEY_BYTES: Final = 65_535
MAX_KEPT_ITEMS: Final = 4_096
"""Arrays of numbers up to this length are read (head counts by layer), longer ones skipped."""
MAX_LAYERS: Final = 512
"""The limit of llama.cpp: of a longer array only its largest number is kept."""
MAX_LISTS: Final = 64
"""The most arrays that are kept whole; of further ones only the largest number is kept."""
MAX_TEXT: Final = 256
"""The most characters of a text in a status field."""
_MAX_USED_KEY: Final = 128
"""Longer than any used key: an architecture's name has at most 64 characters."""
_SUFFIXES: Final = tuple(f".{name}" for name in OF_ARCHITECTURE)
_OTHERS: Final = frozenset(
    {ARCHITECTURE, NAME, FILE_TYPE, ALIGNMENT, TYPE, ADAPTER_TYPE, SPLIT_NO, SPLIT_COUNT}
)
_READ_AS: Final[Mapping[str, int]] = {
    ARCHITECTURE: STRING,
    NAME: STRING,
    FILE_TYPE: U32_VALUE,
    ALIGNMENT: U32_VALUE,
    SPLIT_COUNT: U16_VALUE,
}
"""Keys that llama.cpp reads from each model, and the only type that it accepts for each."""

Value = int | float | bool | str | tuple[int, ...] | None
"""A value; None if it was skipped. Of an array that is not a list of counts, it is the largest.

Booleans of an array are 0 and 1."""


def read_metadata(header: HeaderInput, count: int) -> Steps[Mapping[str, Value]]:
    """The values of the used keys."""
    found: dict[str, Value] = {}
    seen: set[bytes] = set()
    lists = 0
    header.count(count)
    for _ in range(count):
        raw = yield from header.string(MAX_KEY_BYTES, "a metadata key")
        if not raw:
            raise InvalidGguf("a metadata key is empty")
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        if digest in seen:
            raise InvalidGguf(f"the metadata key {shown(decoded(raw[:MAX_TEXT]))} is duplicated")
        seen.add(digest)
        kind = yield from header.number(U32)
        key = decoded(raw) if len(raw) <= _MAX_USED_KEY else ""
        if key in _OTHERS or key.endswith(_SUFFIXES):
            _check_type(key, kind)
            value = yield from _value(header, kind)
            lists += _is_list(value)
            found[key] = largest(value) if lists > MAX_LISTS and _is_list(value) else value
        else:
            yield from _skip_value(header, kind)
    return found


def largest(value: Value) -> int | None:
    """A whole number that fits into a status field; of a list by layer, the largest."""
    items = value if isinstance(value, tuple) else (value,)
    return max((item for item in items if _is_count(item)), default=None)


def decoded(raw: bytes) -> str:
    """Text of the file, with invalid bytes replaced."""
    return raw.decode("utf-8", "replace")


def shown(text: str) -> str:
    """Text of the file, shortened and printable, for a status field or a message."""
    return "".join(char for char in text[:MAX_TEXT] if char.isprintable())


def _check_type(key: str, kind: int) -> None:
    wanted = _READ_AS.get(key, kind)
    if kind != wanted:
        found = VALUE_TYPES.get(kind, str(kind))
        raise InvalidGguf(
            f"{key} has the type {found}, but llama.cpp reads only {VALUE_TYPES[wanted]}: "
            "convert the model again"
        )


def _value(header: HeaderInput, kind: int) -> Steps[Value]:
    if kind == STRING:
        # At most four bytes for each character that is kept.
        return decoded((yield from header.beginning(4 * MAX_TEXT)))
    if kind == VALUE_ARRAY:
        return (yield from _array(header))
    number: int | float | bool = yield from header.number(_layout(kind))
    return number


def _array(header: HeaderInput) -> Steps[Value]:
    kind, count = (yield from header.number(U32)), (yield from header.number(U64))
    if kind == STRING or count > MAX_KEPT_ITEMS:
        yield from _skip_items(header, kind, count)
        return None
    return _counts((yield from header.numbers(_layout_of_items(kind), count)))


def _counts(items: tuple[int | float | bool, ...]) -> Value:
    """The items if all are counts, else the largest count."""
    # Only built-in functions, for speed: a hostile header may consist of such arrays.
    if items and type(items[0]) is float:
        return None
    if items and not (min(items) >= 0 and max(items) < 2**63):
        return max(filter(_is_count, items), default=None)
    return tuple(map(int, items)) if len(items) <= MAX_LAYERS else int(max(items))


def _skip_value(header: HeaderInput, kind: int) -> Steps[None]:
    if kind == STRING:
        yield from header.skip((yield from header.number(U64)))
    elif kind == VALUE_ARRAY:
        kind, count = (yield from header.number(U32)), (yield from header.number(U64))
        yield from _skip_items(header, kind, count)
    else:
        yield from header.skip(_layout(kind).size)


def _skip_items(header: HeaderInput, kind: int, count: int) -> Steps[None]:
    if kind == STRING:
        yield from header.skip_strings(count)
    else:
        yield from header.skip(count * _layout_of_items(kind).size)


def _layout(kind: int) -> struct.Struct:
    layout = NUMBERS.get(kind)
    if layout is None:
        raise InvalidGguf(f"a metadata value has the unknown type {kind}")
    return layout


def _layout_of_items(kind: int) -> struct.Struct:
    layout = NUMBERS.get(kind)
    if layout is None:
        raise InvalidGguf(f"an array has items of the invalid type {kind}")
    return layout


def _is_list(value: Value) -> bool:
    return isinstance(value, tuple)


def _is_count(item: object) -> TypeGuard[int]:
    return type(item) is int and 0 <= item < 2**63
