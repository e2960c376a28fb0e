"""Small gguf files with any metadata and tensors, in llama.cpp's layout."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence

from dev import samplegguf
from roadstead.gguf.gguf_types import BLOCKS

Tensor = tuple[str, tuple[int, ...], int]
"""Name, dimensions and `ggml_type`."""
WEIGHT: Tensor = ("token_embd.weight", (32, 4), 0)
LLAMA: Mapping[str, samplegguf.Value] = {"general.architecture": "llama"}


def typed(key: str, kind: int, form: str, number: int) -> bytes:
    """A metadata pair of any number type; `form` is its format in `struct`."""
    return samplegguf.text(key) + struct.pack(f"<I{form}", kind, number)


def u16(key: str, number: int) -> bytes:
    """A metadata pair with the type of `split.*`."""
    return typed(key, 2, "H", number)


def gguf_file(
    metadata: Mapping[str, samplegguf.Value] = LLAMA,
    tensors: Sequence[Tensor] = (WEIGHT,),
    *pairs: bytes,
    gap: int = 0,
    version: int = 3,
    data: bool = True,
) -> bytes:
    """A file of zeros; `gap` bytes are left out before each tensor but the first.

    Without `data` it is only the header.
    """
    infos, end = b"", 0
    for name, lengths, kind in tensors:
        offset = -(-end // 32) * 32 + (gap if infos else 0)
        infos += samplegguf.text(name) + struct.pack("<I", len(lengths))
        infos += struct.pack(f"<{len(lengths)}QIQ", *lengths, kind, offset)
        block, width = BLOCKS.get(kind, (1, 4))
        end = offset + math.prod(lengths) // block * width
    written = [*(samplegguf.pair(key, value) for key, value in metadata.items()), *pairs]
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(written))
    head += b"".join(written) + infos
    return head + bytes(-len(head) % 32 + (end if data else 0))
