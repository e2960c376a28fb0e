"""How much memory a llama-server needs, estimated from the gguf header.

All in bytes, of one replica, with everything on the CPU:

    weights      = size of the file
    kv_cache     = sum over layers of cells(layer) * kv_heads * (key_length * K + value_length * V)
    states       = parallel * sum over recurrent layers of their state
    compute      = ubatch * (cells * M + embedding_length * 64 + wide layers) + 1 MiB * parallel
    checkpoints  = parallel * contextCheckpoints * (states of one slot + window * bytes of one cell)
    prompt_cache = cacheRamMiB
    overhead     = 48 MiB + 6 * header + size / 20

- K and V are the bytes of one entry by cacheTypeK and cacheTypeV: f16 2, q8_0 34/32, q4_0 18/32...
  (ggml's block layouts; f16 by default).
- cells are contextSize, divided among the parallel slots and rounded up to 256 in each. A layer
  with a sliding window has at most window + ubatch of them in a slot. `roadstead.api.memory_layers`
  defines which layers have which cache.
- ubatch is 512 or as given; in the modes Embedding and Rerank the context of a slot
  (`roadstead.api.slots`).
- M is 2 with flash attention (a mask in f16), else 4 * (heads + 1): a mask and the scores in f32.
  cells here are those of one slot, of the whole and of the windowed cache together.
- Wide layers: 12 bytes for each element that the feed forward network (of all experts that are
  used) is wider than four embeddings, and that the keys of all heads are wider than two; 24 bytes
  for each element of a recurrent layer's inner width and groups.
- Checkpoints are copies of what llama-server can't undo in a slot (its recurrent states, and the
  cache of windowed layers), for rewinding a prompt: two for each turn of a conversation, up to
  `contextCheckpoints`, 32 by default. The modes Embedding and Rerank create none.
- Of the overhead, 48 MiB is the program and its HTTP server, six times the header (which is mostly
  the vocabulary) is its size in memory, and a twentieth of the weights are those that the CPU
  backend keeps in a second layout. The first copy is mapped pages, which the kernel reclaims
  under a limit, so no more of it counts.

Sources: src/llama-kv-cache-iswa.cpp and ggml/src/ggml-common.h of ggml-org/llama.cpp, and the
buffer sizes that llama-server prints at `--verbosity 4`: the KV cache equals them to the byte,
compute is equal or more.
"""

from __future__ import annotations

import dataclasses

from roadstead.api.memory_layers import cache_layers
from roadstead.api.quantity import MEBIBYTE
from roadstead.api.raw import Raw, positive, section
from roadstead.api.slots import CHAT, checkpoints_of, flags, padded, slots_of

_BLOCK = 32
_BLOCK_BYTES = {
    "f32": 128, "f16": 64, "bf16": 64, "q8_0": 34, "q5_1": 24, "q5_0": 22, "q4_1": 20,
    "q4_0": 18, "iq4_nl": 18,
}  # fmt: skip
"""Bytes of 32 entries of the KV cache."""
_WIDTH_BYTES = 64
_FORWARD_BYTES = 12
_ATTENTION_BYTES = 12
_RECURRENT_BYTES = 24
_WORTH_NAMING = 20
"""Below a twentieth of the estimate, a part isn't worth lowering."""
_BASE = 48 * MEBIBYTE


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryEstimate:
    """Bytes that one replica needs, by purpose.

    `bound`: the architecture isn't known, so this is an upper bound. `exact` is false then, and if
    the header lacks a value that the estimate needs.
    """

    weights: int
    kv_cache: int
    states: int
    compute: int
    checkpoints: int
    prompt_cache: int
    overhead: int
    bound: bool = False
    exact: bool = True

    @property
    def total(self) -> int:
        """The sum of all parts."""
        caches = self.kv_cache + self.states + self.checkpoints + self.prompt_cache
        return self.weights + caches + self.compute + self.overhead


def estimate(status: Raw, params: Raw) -> MemoryEstimate:
    """For a Model's `status` and a ModelServe's `runtimeParams`. Never raises.

    The docstring of the module has the formula. Layers on a GPU (`gpuLayers`) are not subtracted.
    """
    size = positive(status, "sizeBytes")
    caches = _Caches(section(status, "gguf"), params)
    return MemoryEstimate(
        weights=size,
        kv_cache=caches.kv(),
        states=caches.states(),
        compute=caches.compute(),
        checkpoints=caches.checkpoints(),
        prompt_cache=positive(params, "cacheRamMiB") * MEBIBYTE,
        overhead=_BASE + 6 * positive(caches.gguf, "headerBytes") + size // 20,
        bound=caches.layers.bound,
        exact=caches.layers.exact,
    )


def server_memory(size: int, gguf: Raw, context: int, *, cache_ram_mib: int = 0) -> int:
    """The whole estimate for a file of `size` bytes with `context` tokens and one slot."""
    params = {"contextSize": context, "cacheRamMiB": cache_ram_mib}
    return estimate({"sizeBytes": size, "gguf": gguf}, params).total


def remedy(parts: MemoryEstimate, params: Raw) -> str:
    """What to lower in `runtimeParams` if memory is short, the most effective first."""
    several = (positive(params, "parallel") or 1) > 1
    helps = (
        ("contextCheckpoints", parts.checkpoints),
        ("contextSize", parts.kv_cache),
        ("parallel", parts.states + parts.checkpoints if several else 0),
        ("cacheRamMiB", parts.prompt_cache),
        ("ubatchSize", parts.compute),
    )
    floor = parts.total // _WORTH_NAMING
    named = [name for name, size in sorted(helps, key=lambda each: -each[1]) if size > floor]
    return f"lower {' or '.join(named) or 'contextSize'}"


class _Caches:
    """Memory that depends on the context and the slots, for a `status.gguf` and `runtimeParams`."""

    def __init__(self, gguf: Raw, params: Raw) -> None:
        self.gguf = gguf
        self._params = params
        self._flash = params.get("flashAttention") != "off"
        full_windows = "--swa-full" in flags(params)
        self.layers = layers = cache_layers(gguf, full_windows=full_windows, padded=not self._flash)
        self._slots = slots = slots_of(params, gguf)
        sharing = slots.parallel // slots.streams
        self._windowed_cells = min(slots.cells, padded(layers.window * sharing + slots.ubatch))

    def kv(self) -> int:
        """The KV cache of all slots."""
        layers, cells = self.layers, self._slots.cells
        full = cells * self._bytes(layers.key, layers.value)
        windowed = self._windowed_cells * self._window_bytes()
        return self._slots.streams * (full + windowed)

    def states(self) -> int:
        """The states of recurrent layers, one for each slot."""
        return self._slots.parallel * self.layers.state

    def compute(self) -> int:
        """The buffers of one batch."""
        windowed = self._windowed_cells if self.layers.window else 0
        cells = self._slots.cells + windowed if self.layers.attends else 0
        heads = positive(self.gguf, "headCount")
        mask = 2 if self._flash else 4 * (heads + 1)
        each = cells * mask + _width_bytes(self.gguf, heads)
        return self._slots.ubatch * each + self._slots.parallel * MEBIBYTE

    def checkpoints(self) -> int:
        """Copies of states and windowed caches; only the mode Chat creates them."""
        if self._params.get("mode", CHAT) not in (CHAT, None):
            return 0
        window = min(self.layers.window, self._slots.cells) * self._window_bytes()
        kept = self._slots.parallel * checkpoints_of(self._params)
        return kept * (window + self.layers.state)

    def _window_bytes(self) -> int:
        return self._bytes(self.layers.window_key, self.layers.window_value)

    def _bytes(self, key: int, value: int) -> int:
        """Bytes of one token."""
        entries = key * self._block("cacheTypeK") + value * self._block("cacheTypeV")
        return -(-entries // _BLOCK)

    def _block(self, field: str) -> int:
        return _BLOCK_BYTES.get(str(self._params.get(field)), _BLOCK_BYTES["f16"])


def _width_bytes(gguf: Raw, heads: int) -> int:
    """Bytes that one token needs while it is computed, independent of the context."""
    embedding, memory = positive(gguf, "embeddingLength"), section(gguf, "memory")
    experts = positive(memory, "expertUsedCount") * positive(memory, "expertFeedForwardLength")
    forward = max(experts, positive(memory, "feedForwardLength"))
    attention = heads * positive(gguf, "keyLength")
    groups = positive(memory, "ssmGroupCount") * positive(memory, "ssmStateSize")
    return (
        _WIDTH_BYTES * embedding
        + _FORWARD_BYTES * max(0, forward - 4 * embedding)
        + _ATTENTION_BYTES * max(0, attention - 2 * embedding)
        + _RECURRENT_BYTES * (positive(memory, "ssmInnerSize") + groups)
    )
