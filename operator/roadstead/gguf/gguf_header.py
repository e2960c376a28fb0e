"""The header of a gguf file: a bounded, pure parser for untrusted input.

The format is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3,
little endian: magic, version, counts, metadata (typed key/value pairs), tensor infos, padding,
tensor data. A `HeaderParser` reads it as it arrives, each byte once, and never reads tensor data.
Its memory is bounded, independent of the length of the header.

A file that llama-server can't serve is refused for the same reason as by llama.cpp, in the order of
its checks (ggml/src/gguf.cpp, src/llama-model-loader.cpp of ggml-org/llama.cpp), except that parts
of a model and other kinds of files are detected before their consequences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from roadstead.gguf import gguf_metadata
from roadstead.gguf.gguf_input import U32, U64, HeaderInput, InvalidGguf, Steps
from roadstead.gguf.gguf_kinds import refuse_other_kinds, refuse_parts
from roadstead.gguf.gguf_memory import GgufMemory, memory_of
from roadstead.gguf.gguf_metadata import Value, largest, read_metadata, shown
from roadstead.gguf.gguf_tensors import Tensors, read_tensors
from roadstead.gguf.gguf_types import FILE_TYPES, LLAMA_CPP_BUILD, POOLING_TYPES, TENSOR_TYPES

__all__ = ["GgufHeader", "HeaderParser", "InvalidGguf", "Truncated", "parse_header"]

MAGIC: Final = b"GGUF"
VERSIONS: Final = (2, 3)
MAX_KEYS: Final = 2**14
MAX_TENSORS: Final = 2**16
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CHUNK: Final = 2**20
_NO_GGUF: Final = "it is not a gguf file"
_OLDER: Final = f"{_NO_GGUF}, but one of its predecessors: convert the model again"
_PAGE: Final = f"{_NO_GGUF}, but a web page, such as a sign-in or error page"
_OTHER_MAGIC: Final[Mapping[bytes, str]] = {
    b"vers": f"{_NO_GGUF}; if it is a pointer of Git LFS, upload the file that it points to",
    b"<!DO": _PAGE,
    b"<!do": _PAGE,
    b"<htm": _PAGE,
    b"lmgg": _OLDER,
    b"fmgg": _OLDER,
    b"tjgg": _OLDER,
}


class Truncated(Exception):
    """The prefix ends within the header; with `needed` bytes the parser can continue."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"the header continues after byte {needed - 1}")
        self.needed = needed


class GgufHeader(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The header's values of a model; missing values are None.

    `parameter_count` is the sum of the tensors' elements. Lengths are in tokens
    (`context_length`), layers (`block_count`) or elements (`embedding_length`, `key_length`,
    `value_length` per head). If a model has a head count for each layer, it is the largest.
    `pooling_type` is `unspecified` if the header has none; it is None, like `memory`, if an earlier
    version read the header without it. `header_bytes` is the offset of tensor data.
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
    pooling_type: str | None = None
    memory: GgufMemory | None = None
    header_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """The header in camelCase, without None values; tuples become lists, as in a status."""
        values: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return values


class HeaderParser:
    """Reads the header of a file of `size` bytes as the file arrives from its beginning."""

    def __init__(self, size: int) -> None:
        self._input = HeaderInput(size)
        self._steps = _header(self._input, size)

    @property
    def needed(self) -> int:
        """How many bytes of the file must arrive before the parser can continue."""
        return self._input.needed

    def feed(self, view: memoryview | bytes) -> GgufHeader | None:
        """Parse the next bytes; return the header once it is complete, as the last call.

        Raises only InvalidGguf, if the file is not a whole gguf model. Time and memory are bounded
        by the limits of this module and `gguf_input`.
        """
        self._input.add(view)
        try:
            next(self._steps)
        except StopIteration as done:
            header: GgufHeader = done.value
            return header
        return None


def parse_header(prefix: bytes | bytearray | memoryview, size: int) -> GgufHeader:
    """Read the header from the first bytes of a file of `size` bytes.

    Raises Truncated if the prefix ends within it, and InvalidGguf like `HeaderParser.feed`.
    """
    parser, view = HeaderParser(size), memoryview(prefix)
    for at in range(0, max(1, len(view)), _CHUNK):
        header = parser.feed(view[at : at + _CHUNK])
        if header is not None:
            return header
    raise Truncated(parser.needed)


def _header(header: HeaderInput, size: int) -> Steps[GgufHeader]:
    version, tensor_count, key_count = yield from _preamble(header)
    metadata = yield from read_metadata(header, key_count)
    refuse_parts(metadata)
    refuse_other_kinds(metadata)
    alignment = _alignment(metadata)
    tensors = yield from read_tensors(header, tensor_count, alignment)
    start = -(-header.position // alignment) * alignment
    if tensors.end > size - start:
        missing = tensors.end - (size - start)
        raise InvalidGguf(f"the tensor {shown(tensors.last)} ends {missing} bytes after the file")
    return _summary(version, metadata, tensors, start)


def _preamble(header: HeaderInput) -> Steps[tuple[int, int, int]]:
    magic = yield from header.raw(len(MAGIC))
    if magic != MAGIC:
        raise InvalidGguf(f"it does not begin with GGUF: {_OTHER_MAGIC.get(magic, _NO_GGUF)}")
    version = yield from header.number(U32)
    _check_version(version)
    tensor_count, key_count = (yield from header.number(U64)), (yield from header.number(U64))
    if tensor_count > MAX_TENSORS:
        raise InvalidGguf(f"it has {tensor_count} tensors, more than {MAX_TENSORS}")
    if key_count > MAX_KEYS:
        raise InvalidGguf(f"it has {key_count} metadata keys, more than {MAX_KEYS}")
    return version, tensor_count, key_count


def _check_version(version: int) -> None:
    if version and not version % 2**16:
        raise InvalidGguf(
            "it is big endian, but llama-server reads little endian: convert it with "
            "gguf-convert-endian of the Python package gguf"
        )
    if version < VERSIONS[0]:
        raise InvalidGguf(
            f"it is gguf version {version}, which llama.cpp no longer reads: convert the model "
            "again with a current llama.cpp"
        )
    if version > VERSIONS[-1]:
        raise InvalidGguf(
            f"it is gguf version {version}, newer than {VERSIONS[-1]}, the newest that llama.cpp "
            f"{LLAMA_CPP_BUILD} reads: it needs a newer llama-server and Roadstead"
        )


def _alignment(metadata: Mapping[str, Value]) -> int:
    value = metadata.get(gguf_metadata.ALIGNMENT, 32)
    if type(value) is not int or not 8 <= value <= 2**16 or value & (value - 1):
        raise InvalidGguf("general.alignment is not a power of two from 8 to 65536")
    return value


def _summary(
    version: int, metadata: Mapping[str, Value], tensors: Tensors, start: int
) -> GgufHeader:
    architecture = metadata.get(gguf_metadata.ARCHITECTURE)
    if not isinstance(architecture, str) or not _NAME.fullmatch(architecture):
        raise InvalidGguf("general.architecture is missing or not a name")
    name = metadata.get(gguf_metadata.NAME)
    file_type = largest(metadata.get(gguf_metadata.FILE_TYPE))

    def of(key: str) -> int | None:
        return largest(metadata.get(f"{architecture}.{key}"))

    return GgufHeader(
        version=version,
        architecture=architecture,
        name=shown(name) if isinstance(name, str) else None,
        quantization=_quantization(file_type, tensors),
        file_type=file_type,
        parameter_count=tensors.elements,
        tensor_count=tensors.count,
        context_length=of("context_length"),
        block_count=of("block_count"),
        embedding_length=of("embedding_length"),
        head_count=of("attention.head_count"),
        head_count_kv=of("attention.head_count_kv"),
        key_length=of("attention.key_length"),
        value_length=of("attention.value_length"),
        sliding_window=of("attention.sliding_window"),
        expert_count=of("expert_count"),
        pooling_type=_pooling_type(of("pooling_type")),
        memory=memory_of(lambda key: metadata.get(f"{architecture}.{key}")),
        header_bytes=start,
    )


def _pooling_type(number: int | None) -> str:
    return "unspecified" if number is None else POOLING_TYPES.get(number, "unspecified")


def _quantization(file_type: int | None, tensors: Tensors) -> str | None:
    """The file type in the header, else the type of most elements."""
    if file_type is not None and file_type in FILE_TYPES:
        return FILE_TYPES[file_type]
    elements = tensors.by_type
    return TENSOR_TYPES.get(max(elements, key=lambda kind: elements[kind]))
