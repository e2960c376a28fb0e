"""Generated gguf files of any size: a valid header and one tensor of noise."""

import random
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

ALIGNMENT = 32
_CHUNK = 2**20

Value = int | str | Sequence[str]


def text(value: str) -> bytes:
    """A gguf string."""
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str, value: Value) -> bytes:
    """A metadata pair: uint32, string, or an array of strings."""
    match value:
        case int():
            return text(key) + struct.pack("<II", 4, value)
        case str():
            return text(key) + struct.pack("<I", 8) + text(value)
    items = b"".join(text(item) for item in value)
    return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + items


METADATA: Mapping[str, Value] = {
    "general.architecture": "llama",
    "general.name": "Sample",
    "general.file_type": 7,
    "llama.context_length": 2048,
    "llama.block_count": 2,
    "llama.embedding_length": 64,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "tokenizer.ggml.tokens": [f"token{index}" for index in range(1000)],
}


def header(tensor_bytes: int, metadata: Mapping[str, Value] = METADATA) -> bytes:
    """A header for one tensor of this size (a multiple of 34: blocks of Q8_0)."""
    blocks = tensor_bytes // 34
    raw = b"GGUF" + struct.pack("<IQQ", 3, 1, len(metadata))
    raw += b"".join(pair(key, value) for key, value in metadata.items())
    raw += text("output.weight") + struct.pack("<IQQIQ", 2, 32, blocks, 8, 0)
    return raw + bytes(-len(raw) % ALIGNMENT)


def sample(size: int, *, seed: int = 0) -> bytes:
    """A gguf file of about `size` bytes; equal seeds result in equal files."""
    tensor = max(1, size // 34) * 34
    return header(tensor) + random.Random(seed).randbytes(tensor)  # noqa: S311 - noise


def write(path: Path, size: int) -> None:
    """A gguf file of exactly `size` bytes; the rest after the tensor is padding."""
    start = len(header(34))
    tensor = (size - start) // 34 * 34
    with path.open("wb") as file:
        file.write(header(tensor))
        left = size - file.tell()
        noise = random.Random(size)  # noqa: S311 - noise
        while left:
            count = min(_CHUNK, left)
            file.write(noise.randbytes(count))
            left -= count
