"""How much memory a server needs, estimated from what the gguf header says."""

from __future__ import annotations

from roadstead.api.quantity import MEBIBYTE
from roadstead.api.raw import Raw

# Compute buffers grow with the batch, the vocabulary and the width of the model; these cover
# llama.cpp's default batch.
_COMPUTE_BASE = 192 * MEBIBYTE
_BYTES_PER_ENTRY = 2
"""An entry of the KV cache is f16 by default."""


def server_memory(size: int, gguf: Raw, context: int, *, cache_ram_mib: int = 0) -> int:
    """Bytes: the weights and a tenth, the KV cache, compute buffers, and the prompt cache.

    `gguf` is a Model's `status.gguf`. What the header doesn't say counts as nothing, so for an
    architecture that is unknown this is the weights and a margin.
    """
    return size + size // 10 + kv_cache(gguf, context) + _COMPUTE_BASE + cache_ram_mib * MEBIBYTE


def kv_cache(gguf: Raw, context: int) -> int:
    """Bytes of the keys and values of `context` tokens, in f16."""
    heads = _number(gguf, "headCount")
    kv_heads = _number(gguf, "headCountKv") or heads
    width = _number(gguf, "embeddingLength") // heads if heads else 0
    key = _number(gguf, "keyLength") or width
    value = _number(gguf, "valueLength") or width
    per_token = _number(gguf, "blockCount") * kv_heads * (key + value)
    return per_token * context * _BYTES_PER_ENTRY


def _number(gguf: Raw, name: str) -> int:
    value = gguf.get(name)
    return value if isinstance(value, int) and value > 0 else 0
