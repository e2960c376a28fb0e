"""How much memory a llama-server needs, estimated from what the gguf header says.

All in bytes, of one replica, with everything on the CPU:

    weights      = size of the file
    kv_cache     = sum over layers of cells(layer) * kv_heads * (key_length * K + value_length * V)
    compute      = ubatch * (cells * M + embedding_length * 64) + 1 MiB * parallel
    prompt_cache = cacheRamMiB + parallel * checkpoints * window * bytes of one cell
    overhead     = 48 MiB + 6 * header + size / 20

- K and V are the bytes of one entry by cacheTypeK and cacheTypeV: f16 2, q8_0 34/32, q4_0 18/32...
  (ggml's block layouts; f16 where nothing is said).
- cells are contextSize, shared out among the parallel slots and rounded up to 256 in each. A layer
  with a sliding window has no more than window + ubatch of them in a slot; which layers those are
  the header doesn't say, so it follows from the architecture (`set_swa_pattern` in llama.cpp), and
  where that is unknown every layer counts in full, as with `--swa-full`.
- ubatch is 512 or as given; in the modes Embedding and Rerank the context of a slot
  (`roadstead.api.slots`).
- M is 2 with flash attention (a mask in f16), else 4 * (heads + 1): a mask and the scores in f32.
  cells here are those of one slot, of the whole and of the windowed cache together.
- Checkpoints are copies of a slot's windowed cache that llama-server keeps to go back in a prompt:
  two for each turn of a conversation, up to `--ctx-checkpoints`, 32 where that is not given.
- Of the overhead, 48 MiB is the program and its HTTP side, six times the header (which is mostly
  the vocabulary) what becomes of it in memory, and a twentieth of the weights those that the CPU
  backend keeps in a second layout. The first copy is of mapped pages, which the kernel takes back
  under a limit, so no more of it counts.

Sources: src/llama-kv-cache-iswa.cpp and ggml/src/ggml-common.h of ggml-org/llama.cpp, and the
buffer sizes that llama-server prints at `--verbosity 4`: the KV cache is theirs to the byte,
compute is theirs or more.
"""

from __future__ import annotations

import dataclasses

from roadstead.api.quantity import MEBIBYTE
from roadstead.api.raw import Raw, section
from roadstead.api.slots import flags, last_value, padded, slots_of

_BLOCK = 32
_BLOCK_BYTES = {
    "f32": 128, "f16": 64, "bf16": 64, "q8_0": 34, "q5_1": 24, "q5_0": 22, "q4_1": 20,
    "q4_0": 18, "iq4_nl": 18,
}  # fmt: skip
"""Bytes of 32 entries of the KV cache."""
_FULL_EVERY = {
    "gemma2": 2, "gemma3": 6, "gemma3n": 5, "gemma-embedding": 6, "cohere2": 4, "gpt-oss": 2,
}  # fmt: skip
"""By architecture: every how many layers one is without a sliding window."""
_CHECKPOINTS_FLAG = "--ctx-checkpoints"
_CHECKPOINTS = 32
_WIDTH_BYTES = 64
_BASE = 48 * MEBIBYTE


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryEstimate:
    """Bytes that one replica needs, by what they are for."""

    weights: int
    kv_cache: int
    compute: int
    prompt_cache: int
    overhead: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv_cache + self.compute + self.prompt_cache + self.overhead


def estimate(status: Raw, params: Raw) -> MemoryEstimate:
    """For a Model's `status` and a ModelServe's `runtimeParams`; the module says how. Never raises.

    What the header doesn't say counts as nothing, so for an architecture that is unknown this is
    the weights and a margin. Layers on a GPU (`gpuLayers`) are not taken off.
    """
    size = _number(status, "sizeBytes")
    caches = _Caches(section(status, "gguf"), params)
    return MemoryEstimate(
        weights=size,
        kv_cache=caches.kv(),
        compute=caches.compute(),
        prompt_cache=caches.prompts(),
        overhead=_BASE + 6 * _number(caches.gguf, "headerBytes") + size // 20,
    )


def server_memory(size: int, gguf: Raw, context: int, *, cache_ram_mib: int = 0) -> int:
    """The whole estimate for a file of `size` bytes with `context` tokens and one slot."""
    params = {"contextSize": context, "cacheRamMiB": cache_ram_mib}
    return estimate({"sizeBytes": size, "gguf": gguf}, params).total


class _Caches:
    """What grows with the context, for one `status.gguf` and one `runtimeParams`."""

    def __init__(self, gguf: Raw, params: Raw) -> None:
        self.gguf = gguf
        self._params = params
        self._checkpoints = _checkpoints(params)
        self._slots = slots = slots_of(params, gguf)
        self._window = _number(gguf, "slidingWindow")
        sharing = slots.parallel // slots.streams
        self._windowed_cells = min(slots.cells, padded(self._window * sharing + slots.ubatch))

    def kv(self) -> int:
        """The KV cache of all slots."""
        full, windowed = self._layers()
        cells = full * self._slots.cells + windowed * self._windowed_cells
        return self._slots.streams * cells * self._cell_bytes()

    def compute(self) -> int:
        """Buffers of one batch."""
        cells = self._slots.cells + (self._windowed_cells if self._layers()[1] else 0)
        heads = _number(self.gguf, "headCount")
        flash = self._params.get("flashAttention") != "off"
        mask = 2 if flash else 4 * (heads + 1)
        width = _WIDTH_BYTES * _number(self.gguf, "embeddingLength")
        return self._slots.ubatch * (cells * mask + width) + self._slots.parallel * MEBIBYTE

    def prompts(self) -> int:
        """Prompts that are kept for later, and checkpoints of windowed caches."""
        _, windowed = self._layers()
        kept = windowed * min(self._window, self._slots.cells) * self._cell_bytes()
        ram = _number(self._params, "cacheRamMiB") * MEBIBYTE
        return ram + self._slots.parallel * self._checkpoints * kept

    def _layers(self) -> tuple[int, int]:
        """How many layers see the whole context, and how many only a window."""
        layers = _number(self.gguf, "blockCount")
        every = _FULL_EVERY.get(str(self.gguf.get("architecture")))
        if every is None or not self._window or "--swa-full" in flags(self._params):
            return layers, 0
        return layers // every, layers - layers // every

    def _cell_bytes(self) -> int:
        """Of one token in one layer."""
        heads = _number(self.gguf, "headCount")
        kv_heads = _number(self.gguf, "headCountKv") or heads
        width = _number(self.gguf, "embeddingLength") // heads if heads else 0
        key = (_number(self.gguf, "keyLength") or width) * self._block("cacheTypeK")
        value = (_number(self.gguf, "valueLength") or width) * self._block("cacheTypeV")
        return -(-kv_heads * (key + value) // _BLOCK)

    def _block(self, field: str) -> int:
        return _BLOCK_BYTES.get(str(self._params.get(field)), _BLOCK_BYTES["f16"])


def _checkpoints(params: Raw) -> int:
    """The last `--ctx-checkpoints`, as llama-server takes it."""
    value = last_value(params, _CHECKPOINTS_FLAG) or ""
    return int(value) if value.isdecimal() and len(value) <= 12 else _CHECKPOINTS


def _number(raw: Raw, name: str) -> int:
    value = raw.get(name)
    return value if isinstance(value, int) and value > 0 else 0
