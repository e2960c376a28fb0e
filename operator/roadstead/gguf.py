"""The header of a gguf file: a bounded, pure parser for input that may be hostile.

The format is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3,
little endian: magic, version, counts, metadata (typed key/value pairs), tensor infos, padding,
tensor data. `parse_header` reads it from a prefix of the file and never looks at tensor data.
"""

from __future__ import annotations

import dataclasses
import re
import struct
from collections.abc import Mapping
from typing import Any, Final

from roadstead.gguf_types import BLOCKS, FILE_TYPES, NUMBERS, STRING, TENSOR_TYPES, VALUE_ARRAY

MAGIC: Final = b"GGUF"
VERSIONS: Final = (2, 3)
MAX_HEADER_BYTES: Final = 64 * 2**20
"""Real headers take a few MiB (the vocabulary); one that is longer than this is refused."""
MAX_KEYS: Final = 2**14
MAX_TENSORS: Final = 2**17
MAX_STRINGS: Final = 2**22
"""Items of string arrays, all together: what bounds the parser's time."""
MAX_KEY_BYTES: Final = 65_535
MAX_NAME_BYTES: Final = 64
"""Of a tensor's name, as the format says."""
MAX_KEPT_ITEMS: Final = 4_096
"""Arrays of numbers up to this length are read (head counts by layer), longer ones skipped."""
MAX_TEXT: Final = 256
"""Characters kept of a text that ends in a status field."""
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Truncated(Exception):
    """The prefix ends within the header; `needed` bytes would let the parser go on."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"the header goes on after byte {needed - 1}")
        self.needed = needed


class InvalidGguf(ValueError):
    """The file is not a gguf file that could be served; the message says why."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GgufHeader:
    """What the header says of a model; what it leaves out is None.

    `parameter_count` is the sum of the tensors' elements. Lengths are in tokens
    (`context_length`), layers (`block_count`) or elements (`embedding_length`, `key_length`,
    `value_length` per head). Where a model has a head count for each layer, it is the largest.
    `header_bytes` is where tensor data starts.
    """

    version: int
    architecture: str
    name: str | None = None
    quantization: str | None = None
    file_type: int | None = None
    parameter_count: int
    tensor_count: int
    context_length: int | None = None
    block_count: int | None = None
    embedding_length: int | None = None
    head_count: int | None = None
    head_count_kv: int | None = None
    key_length: int | None = None
    value_length: int | None = None
    sliding_window: int | None = None
    expert_count: int | None = None
    header_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """The header in camelCase, without what is None."""
        values = dataclasses.asdict(self)
        return {_camel(name): value for name, value in values.items() if value is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> GgufHeader:
        """The inverse of `to_json`; unknown fields are left out, missing ones raise TypeError."""
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: values[_camel(name)] for name in names if _camel(name) in values})


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


Value = int | float | bool | str | tuple[int | float | bool, ...] | None
"""A metadata value; None for one that is skipped (long arrays, arrays of strings)."""


def parse_header(prefix: bytes | bytearray | memoryview, size: int) -> GgufHeader:
    """Read the header from the first bytes of a file of `size` bytes.

    Raises Truncated where the prefix ends within it, InvalidGguf where the file is not a whole
    gguf model. Never anything else, and in time that is bounded by the limits above.
    """
    reader = _Reader(prefix, size)
    version, tensor_count, key_count = _preamble(reader)
    metadata = _metadata(reader, key_count)
    alignment = _alignment(metadata)
    tensors = [_tensor(reader) for _ in range(tensor_count)]
    start = -(-reader.at // alignment) * alignment
    for tensor in tensors:
        _check_extent(tensor, alignment, size - start)
    if sum(tensor.elements for tensor in tensors) >= 2**63:
        # Tensors of a type that came after this code take no room that is known.
        raise InvalidGguf("its tensors have impossible dimensions")
    return _header(version, metadata, tensors, start)


class _Reader:
    """Takes values off the prefix, one after the other."""

    def __init__(self, prefix: bytes | bytearray | memoryview, size: int) -> None:
        self._view = memoryview(prefix)
        self._size = size
        self._strings = 0
        self.at = 0

    def skip(self, count: int) -> int:
        """Go `count` bytes on; returns where they began."""
        start, end = self.at, self.at + count
        if end > self._size:
            raise InvalidGguf(f"the file ends within its header ({self._size} bytes)")
        if end > MAX_HEADER_BYTES:
            raise InvalidGguf(f"the header is longer than {MAX_HEADER_BYTES // 2**20} MiB")
        if end > len(self._view):
            raise Truncated(end)
        self.at = end
        return start

    def number(self, layout: struct.Struct) -> Any:
        """A number; its type follows from the layout."""
        return layout.unpack_from(self._view, self.skip(layout.size))[0]

    def text(self, limit: int, what: str) -> str:
        """A string of at most `limit` bytes."""
        length = self.number(_U64)
        if length > limit:
            raise InvalidGguf(f"{what} has {length} bytes, more than {limit}")
        start = self.skip(length)
        return self.raw(start, length).decode("utf-8", "replace")

    def raw(self, start: int, count: int) -> bytes:
        """Bytes that were skipped."""
        return self._view[start : start + count].tobytes()

    def skip_strings(self, count: int) -> None:
        """Go over `count` strings."""
        self._strings += count
        if self._strings > MAX_STRINGS:
            raise InvalidGguf(f"there are more than {MAX_STRINGS} strings in its arrays")
        for _ in range(count):
            self.skip(self.number(_U64))


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Tensor:
    name: str
    kind: int
    elements: int
    row: int
    offset: int

    @property
    def size(self) -> int:
        """Bytes; the least that is possible for a type that came after this code."""
        block, width = BLOCKS.get(self.kind, (1, 0))
        return self.elements // block * width


_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")


def _preamble(reader: _Reader) -> tuple[int, int, int]:
    start = reader.skip(len(MAGIC))
    if reader.raw(start, len(MAGIC)) != MAGIC:
        raise InvalidGguf("it does not begin with GGUF: it is no gguf file")
    version = reader.number(_U32)
    if version not in VERSIONS:
        raise InvalidGguf(f"it is gguf version {version}, which is none of 2 and 3 little endian")
    tensor_count, key_count = reader.number(_U64), reader.number(_U64)
    if not 0 < tensor_count <= MAX_TENSORS:
        raise InvalidGguf(f"it has {tensor_count} tensors; 1 to {MAX_TENSORS} can be")
    if key_count > MAX_KEYS:
        raise InvalidGguf(f"it has {key_count} metadata keys, more than {MAX_KEYS}")
    return version, tensor_count, key_count


def _metadata(reader: _Reader, count: int) -> Mapping[str, Value]:
    found: dict[str, Value] = {}
    for _ in range(count):
        key = reader.text(MAX_KEY_BYTES, "a metadata key")
        if key in found:
            raise InvalidGguf(f"the metadata key {_shown(key)} is there twice")
        found[key] = _value(reader, reader.number(_U32))
    return found


def _value(reader: _Reader, kind: int) -> Value:
    if kind == STRING:
        return reader.text(MAX_HEADER_BYTES, "a metadata value")
    if kind == VALUE_ARRAY:
        return _array(reader)
    layout = NUMBERS.get(kind)
    if layout is None:
        raise InvalidGguf(f"a metadata value has the unknown type {kind}")
    number: int | float | bool = reader.number(layout)
    return number


def _array(reader: _Reader) -> Value:
    kind, count = reader.number(_U32), reader.number(_U64)
    if kind == STRING:
        reader.skip_strings(count)
        return None
    layout = NUMBERS.get(kind)
    if layout is None:
        raise InvalidGguf(f"an array has the type {kind}, which none can have")
    if count > MAX_KEPT_ITEMS:
        reader.skip(count * layout.size)
        return None
    return tuple(reader.number(layout) for _ in range(count))


def _alignment(metadata: Mapping[str, Value]) -> int:
    value = metadata.get("general.alignment", 32)
    if type(value) is not int or not 8 <= value <= 2**16 or value & (value - 1):
        raise InvalidGguf("general.alignment is no power of two from 8 to 65536")
    return value


def _tensor(reader: _Reader) -> _Tensor:
    name = reader.text(MAX_NAME_BYTES, "a tensor's name")
    dimensions = reader.number(_U32)
    if not 0 < dimensions <= 4:
        raise InvalidGguf(f"the tensor {_shown(name)} has {dimensions} dimensions")
    lengths = [reader.number(_U64) for _ in range(dimensions)]
    elements = 1
    for length in lengths:
        elements *= length
    if not 0 < elements < 2**63:
        raise InvalidGguf(f"the tensor {_shown(name)} has impossible dimensions")
    kind, offset = reader.number(_U32), reader.number(_U64)
    return _Tensor(name=name, kind=kind, elements=elements, row=lengths[0], offset=offset)


def _check_extent(tensor: _Tensor, alignment: int, room: int) -> None:
    block, _ = BLOCKS.get(tensor.kind, (1, 0))
    if tensor.row % block:
        raise InvalidGguf(f"the rows of {_shown(tensor.name)} are no multiple of {block}")
    if tensor.offset % alignment:
        raise InvalidGguf(f"the tensor {_shown(tensor.name)} is not aligned to {alignment} bytes")
    if tensor.offset + tensor.size > room:
        missing = tensor.offset + tensor.size - room
        raise InvalidGguf(f"the tensor {_shown(tensor.name)} ends {missing} bytes after the file")


def _header(
    version: int, metadata: Mapping[str, Value], tensors: list[_Tensor], start: int
) -> GgufHeader:
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or not _NAME.fullmatch(architecture):
        raise InvalidGguf("general.architecture is missing or no name")
    if (_number(metadata, "split.count") or 0) > 1:
        raise InvalidGguf("it is one part of a split model; merge the parts (llama-gguf-split)")
    name, file_type = metadata.get("general.name"), _number(metadata, "general.file_type")

    def of(key: str) -> int | None:
        return _number(metadata, f"{architecture}.{key}")

    return GgufHeader(
        version=version,
        architecture=architecture,
        name=_shown(name) if isinstance(name, str) else None,
        quantization=_quantization(file_type, tensors),
        file_type=file_type,
        parameter_count=sum(tensor.elements for tensor in tensors),
        tensor_count=len(tensors),
        context_length=of("context_length"),
        block_count=of("block_count"),
        embedding_length=of("embedding_length"),
        head_count=of("attention.head_count"),
        head_count_kv=of("attention.head_count_kv"),
        key_length=of("attention.key_length"),
        value_length=of("attention.value_length"),
        sliding_window=of("attention.sliding_window"),
        expert_count=of("expert_count"),
        header_bytes=start,
    )


def _number(metadata: Mapping[str, Value], key: str) -> int | None:
    """A whole number that a status field can hold; of one by layer the largest."""
    value = metadata.get(key)
    items = value if isinstance(value, tuple) else (value,)
    numbers = [item for item in items if type(item) is int and 0 <= item < 2**63]
    return max(numbers, default=None)


def _quantization(file_type: int | None, tensors: list[_Tensor]) -> str | None:
    """What the file says it is, else the type that most of its elements have."""
    if file_type is not None and file_type in FILE_TYPES:
        return FILE_TYPES[file_type]
    elements: dict[int, int] = {}
    for tensor in tensors:
        elements[tensor.kind] = elements.get(tensor.kind, 0) + tensor.elements
    return TENSOR_TYPES.get(max(elements, key=lambda kind: elements[kind]))


def _shown(text: str) -> str:
    """Text of the file's own, made fit for a status field or a message."""
    return "".join(char for char in text[:MAX_TEXT] if char.isprintable())
