"""The tensor infos of a gguf header, checked as llama.cpp does; only sums are kept.

The checks and their order are those of `gguf_init_from_reader` in ggml/src/gguf.cpp of
ggml-org/llama.cpp: first each tensor, then the offsets of their data.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from typing import Final

from roadstead.gguf.gguf_input import U32, U64, HeaderInput, InvalidGguf, Steps
from roadstead.gguf.gguf_metadata import decoded, shown
from roadstead.gguf.gguf_types import BLOCKS, LLAMA_CPP_BUILD, REMOVED_TENSOR_TYPES, TENSOR_TYPES

MAX_NAME_BYTES: Final = 63
"""The longest name of a tensor: the 64 bytes of `GGML_MAX_NAME` include a NUL."""


@dataclasses.dataclass(kw_only=True)
class Tensors:
    """Sums over all tensors, and the last tensor.

    `end` is the end of its data, in bytes from the beginning of tensor data. `gap` describes the
    first tensor that does not begin at the end of the previous one; it is empty without one.
    """

    alignment: int
    count: int = 0
    elements: int = 0
    by_type: dict[int, int] = dataclasses.field(default_factory=dict)
    end: int = 0
    last: str = ""
    gap: str = ""

    def add(self, name: str, kind: int, elements: int, offset: int) -> None:
        """Add a tensor of a known type, whose data begins at `offset`."""
        expected = -(-self.end // self.alignment) * self.alignment
        if offset != expected and not self.gap:
            self.gap = f"the tensor {shown(name)} is at offset {offset} instead of {expected}"
        block, width = BLOCKS[kind]
        self.count += 1
        self.elements += elements
        self.by_type[kind] = self.by_type.get(kind, 0) + elements
        self.end, self.last = expected + elements // block * width, name


def read_tensors(header: HeaderInput, count: int, alignment: int) -> Steps[Tensors]:
    """The infos of `count` tensors. Raises InvalidGguf if llama.cpp can't load them."""
    if not count:
        raise InvalidGguf("it has no tensors, only a vocabulary: use the file of the model")
    header.count(count)
    found, names = Tensors(alignment=alignment), _Names()
    for _ in range(count):
        raw = yield from header.string(MAX_NAME_BYTES, "a tensor's name")
        names.add(raw)
        name = decoded(raw)
        lengths = yield from _lengths(header, name)
        elements = _product(lengths, name)
        kind = yield from header.number(U32)
        _check_type(kind, lengths[0], name)
        found.add(name, kind, elements, (yield from header.number(U64)))
    if found.gap:
        raise InvalidGguf(f"{found.gap}, but llama.cpp allows no gaps: convert the model again")
    if found.elements >= 2**63:
        raise InvalidGguf("its tensors have impossible dimensions")
    return found


class _Names:
    """The names that were read, as digests of 8 bytes."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def add(self, raw: bytes) -> None:
        """Add a name. Raises InvalidGguf if it is a duplicate."""
        digest = int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little")
        if digest in self._seen:
            raise InvalidGguf(f"the tensor {shown(decoded(raw))} is duplicated")
        self._seen.add(digest)


def _lengths(header: HeaderInput, name: str) -> Steps[list[int]]:
    dimensions = yield from header.number(U32)
    if not 0 < dimensions <= 4:
        raise InvalidGguf(f"the tensor {shown(name)} has {dimensions} dimensions; 1 to 4 are valid")
    return list((yield from header.numbers(U64, dimensions)))


def _product(lengths: list[int], name: str) -> int:
    elements = math.prod(lengths)
    if not 0 < elements < 2**63:
        raise InvalidGguf(f"the tensor {shown(name)} has impossible dimensions")
    return elements


def _check_type(kind: int, row: int, name: str) -> None:
    if kind in REMOVED_TENSOR_TYPES:
        removed, successor = REMOVED_TENSOR_TYPES[kind]
        raise InvalidGguf(
            f"the tensor {shown(name)} has the type {removed}, which llama.cpp has removed: "
            f"quantize the model again, to {successor}"
        )
    if kind not in TENSOR_TYPES:
        raise InvalidGguf(
            f"the tensor {shown(name)} has the type {kind}, which llama.cpp {LLAMA_CPP_BUILD} does "
            "not know: it needs a newer llama-server and Roadstead, or another quantization"
        )
    block = BLOCKS[kind][0]
    if row % block:
        raise InvalidGguf(
            f"the tensor {shown(name)} has rows of {row} elements, not a multiple of the {block} "
            f"of a block of {TENSOR_TYPES[kind]}"
        )
