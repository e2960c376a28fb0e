"""What a model keeps of each token, and of each slot, by its architecture and gguf header.

Most architectures keep keys and values of each token in each layer. The others:

- encoders keep nothing;
- recurrent layers keep one state for each slot, in f32, however long the context is;
- layers with a sliding window keep at most the tokens of their window and one batch;
- with multi-head latent attention (`key_length_mla`) values are a part of the keys;
- the last layers of a model may use the keys and values of layers before them (shared KV);
- layers that predict further tokens (`nextn_predict_layers`) have no cache in the main context.

An architecture that isn't listed counts in full: all layers keep keys and values, and a state if
the header has one. That is an upper bound.

Source: `llama_model::create_memory`, src/llama-hparams.cpp and `load_arch_hparams` of each file in
src/models of ggml-org/llama.cpp, build 11434.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from roadstead.api.raw import Raw, positive, section


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENCODERS = _names(
    "bert modern-bert nomic-bert nomic-bert-moe neo-bert jina-bert-v2 jina-bert-v3 eurobert "
    "gemma-embedding dream llada llada-moe rnd1"
)
_RECURRENT = _names("mamba mamba2 rwkv6 rwkv6qwen2 rwkv7 arwkv7")
_BY_HEADS = _names(
    "jamba plamo2 granitehybrid lfm2 lfm2moe kimi-linear bailingmoe3 kimi-k3 nemotron_h "
    "nemotron_h_moe"
)
"""Layers without key and value heads are recurrent; in Nemotron-H, those without a feed forward."""
_BY_INTERVAL = _names("qwen3next qwen35 qwen35moe")
"""One layer of each interval has attention, the others are recurrent."""
_BOTH = frozenset({"falcon-h1"})
"""Each layer has attention and a state."""
_FULL_EVERY = {
    "gemma2": 2, "gemma3": 6, "gemma3n": 5, "cohere2": 4, "gpt-oss": 2, "exaone4": 4,
    "exaone-moe": 4, "olmo2": 4, "plamo3": 8, "llama4": 4, "muse-glimmer": 4, "afmoe": 4,
    "mellum": 4, "cohere2moe": 4, "laguna": 4, "smallthinker": 4,
}  # fmt: skip
"""The default interval of layers; one of each interval is without a sliding window."""
_FULL_FIRST = frozenset({"cohere2moe", "laguna", "smallthinker"})
"""Architectures whose layer without a window is the first of the interval, not the last."""
_LISTED = _names("gemma4 mimo2 step35 spark2_5 granite_swa maple")
"""The header lists the layers with a sliding window."""
_WINDOWS = {"gemma2": 4096, "llama4": 8192}
"""The default window, if the header has none."""
_WINDOWED_EXAONE_LAYERS = 64
_GEMMA3N_OWN_KV = 20
_PLAIN = _names(
    "llama deci falcon grok gpt2 gptj gptneox mpt baichuan starcoder refact bloom stablelm "
    "qwen qwen2 qwen2moe qwen2vl qwen3 qwen3moe qwen3vl qwen3vlmoe phi2 phi3 phimoe plamo "
    "codeshell orion internlm2 minicpm minicpm3 gemma starcoder2 xverse command-r dbrx olmo "
    "olmoe openelm arctic deepseek deepseek2 deepseek2-ocr chatglm glm4 glm4moe bitnet jais "
    "jais2 nemotron exaone granite granitemoe chameleon plm bailingmoe bailingmoe2 dots1 "
    "arcee ernie4_5 ernie4_5-moe hunyuan-moe hunyuan-dense hunyuan_vl hy_v3 smollm3 seed_oss "
    "grovemoe apertus minimax-m2 cogvlm pangu-embedded mistral3 mistral4 paddleocr llama- "
    "embed maincoder"
)
_KNOWN = (
    _ENCODERS | _RECURRENT | _BY_HEADS | _BY_INTERVAL | _BOTH | _LISTED | _PLAIN | {*_FULL_EVERY}
)
_MAX_LAYERS = 512
"""The limit of llama.cpp; it doesn't load a model with more."""
_STATE_ENTRY_BYTES = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class CacheLayers:
    """Entries that one token has in all layers together, and bytes of one slot's states.

    `key` and `value` are those of layers with the whole context, `window_key` and `window_value`
    of those with a sliding window. `attends`: some layers compare tokens. `bound`: the architecture
    isn't known, so all values are upper bounds. `exact` is false then, and if the header of a
    recurrent model lacks the size of a state, as in headers that earlier versions read.
    """

    key: int = 0
    value: int = 0
    window: int = 0
    window_key: int = 0
    window_value: int = 0
    state: int = 0
    attends: bool = True
    bound: bool = False
    exact: bool = True


def cache_layers(gguf: Raw, *, full_windows: bool = False, padded: bool = False) -> CacheLayers:
    """For a Model's `status.gguf`. Never raises; a value that the header lacks counts as 0.

    `full_windows`: layers with a sliding window keep the whole context. `padded`: the values of
    each layer are as large as those of the widest, as without flash attention.
    """
    return _Header(gguf).layers(full_windows=full_windows, padded=padded)


class _Header:
    def __init__(self, gguf: Raw) -> None:
        self._gguf = gguf
        self._memory = memory = section(gguf, "memory")
        self._architecture = str(gguf.get("architecture"))
        self._all = min(_MAX_LAYERS, positive(gguf, "blockCount"))
        self._count = max(0, self._all - positive(memory, "nextnPredictLayers"))
        self._heads = positive(gguf, "headCount")
        self._window = positive(gguf, "slidingWindow") or _WINDOWS.get(self._architecture, 0)
        self._known = self._architecture in _KNOWN
        self._kv_heads = _list(memory, "headCountsKv")
        self._windowed_layers = _list(memory, "slidingWindowLayers")
        self._recurrent_layers = _list(memory, "recurrentLayers")
        self._widths = _list(memory, "feedForwardLengths")
        width = positive(gguf, "embeddingLength") // self._heads if self._heads else 0
        self._key = positive(gguf, "keyLength") or width
        self._value = positive(gguf, "valueLength") or width

    def layers(self, *, full_windows: bool, padded: bool) -> CacheLayers:
        own = [at for at in range(self._count) if self._has_cache(at)]
        windowed = {at for at in own if not full_windows and self._is_windowed(at)}
        states = sum(self._is_recurrent(at) for at in range(self._count))
        values = {at: self._values(at) for at in own}
        if padded and values:
            values = dict.fromkeys(values, max(values.values()))
        state = self._state() if states else 0
        return CacheLayers(
            key=sum(self._keys(at) for at in own if at not in windowed),
            value=sum(values[at] for at in own if at not in windowed),
            window=self._window if windowed else 0,
            window_key=sum(self._keys(at) for at in windowed),
            window_value=sum(values[at] for at in windowed),
            state=states * state,
            attends=self._architecture not in _RECURRENT,
            bound=not self._known,
            exact=self._known and bool(state or not states),
        )

    def _has_cache(self, at: int) -> bool:
        """Whether a layer has keys and values of its own."""
        if self._architecture in _ENCODERS | _RECURRENT or at >= self._own_kv():
            return False
        attends = self._architecture in _BOTH or not self._known or not self._is_recurrent(at)
        return attends and self._heads_of(at) > 0

    def _own_kv(self) -> int:
        if self._architecture == "gemma3n":
            return _GEMMA3N_OWN_KV
        shared = positive(self._memory, "sharedKvLayers") if self._known else 0
        return max(0, self._all - shared)

    def _is_recurrent(self, at: int) -> bool:
        architecture = self._architecture
        if architecture in _RECURRENT | _BOTH or not self._known:
            return True
        if architecture in _BY_HEADS:
            return self._heads_of(at) == 0 and not (
                architecture.startswith("nemotron") and _at(self._widths, at, 0)
            )
        if architecture in _BY_INTERVAL:
            interval = positive(self._memory, "fullAttentionInterval") or 4
            return bool(_at(self._recurrent_layers, at, (at + 1) % interval))
        return False

    def _is_windowed(self, at: int) -> bool:
        """Whether a layer has a sliding window; never for an unknown architecture."""
        architecture, every = self._architecture, self._period()
        if not self._known or not self._window:
            return False
        if architecture in _BY_HEADS:
            return architecture == "lfm2"
        if self._windowed_layers and (every or architecture in _LISTED):
            return bool(_at(self._windowed_layers, at, 0))
        if not every:
            return False
        return at % every != (0 if architecture in _FULL_FIRST else every - 1)

    def _period(self) -> int:
        every = _FULL_EVERY.get(self._architecture, 0)
        if self._architecture == "exaone4" and self._count != _WINDOWED_EXAONE_LAYERS:
            return 0
        return (positive(self._memory, "slidingWindowPeriod") or every) if every else 0

    def _heads_of(self, at: int) -> int:
        if not self._known:
            return max((*self._kv_heads, positive(self._gguf, "headCountKv"))) or self._heads
        # Zero in the header counts; without a value, each head has its own keys.
        given = self._gguf.get("headCountKv")
        return _at(self._kv_heads, at, given if type(given) is int and given >= 0 else self._heads)

    def _keys(self, at: int) -> int:
        swa = positive(self._memory, "keyLengthSwa") if self._is_windowed(at) else 0
        return self._heads_of(at) * (swa or self._key)

    def _values(self, at: int) -> int:
        if self._known and positive(self._memory, "keyLengthMla"):
            return 0
        swa = positive(self._memory, "valueLengthSwa") if self._is_windowed(at) else 0
        return self._heads_of(at) * (swa or self._value)

    def _state(self) -> int:
        """Bytes of one layer and slot: the convolution's inputs and the state itself."""
        memory, width = self._memory, positive(self._gguf, "embeddingLength")
        inner, size = positive(memory, "ssmInnerSize"), positive(memory, "ssmStateSize")
        kernel = max(0, positive(memory, "ssmConvKernel") - 1)
        rolling = kernel * (inner + 2 * positive(memory, "ssmGroupCount") * size)
        entries = rolling + size * inner
        if head := positive(memory, "wkvHeadSize"):
            entries = width * ((positive(memory, "tokenShiftCount") or 2) + head)
        elif cached := positive(memory, "shortConvCache"):
            entries = width * (cached - 1) + size * inner
        elif head := positive(memory, "kdaHeadLength"):
            entries = 3 * (kernel or 3) * self._heads * head + head * head * self._heads
        return _STATE_ENTRY_BYTES * entries


def _list(raw: Raw, name: str) -> tuple[int, ...]:
    given = raw.get(name)
    items = given if isinstance(given, list | tuple) else ()
    return tuple(item if type(item) is int and item > 0 else 0 for item in items)


def _at(items: Sequence[int], index: int, default: int) -> int:
    return items[index] if index < len(items) else default
