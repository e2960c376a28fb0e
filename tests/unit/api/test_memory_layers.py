"""The memory of models for each token and slot, compared with what llama-server prints.

The models are small ones of random weights, the server is llama.cpp's build 11669, with two slots
and a context of 32768 tokens: what it prints as `KV buffer size` and `RS buffer size`, in MiB.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.memory import estimate
from roadstead.api.memory_layers import cache_layers

MIB = 2**20
PARAMS = {"contextSize": 32768, "parallel": 2}
FIELDS = (
    "headCountsKv", "slidingWindowLayers", "recurrentLayers", "slidingWindowPeriod",
    "sharedKvLayers", "nextnPredictLayers", "ssmStateSize", "wkvHeadSize", "shortConvCache",
)  # fmt: skip
PLAIN = {"blockCount": 12, "embeddingLength": 256, "headCount": 8, "headCountKv": 4}
MAMBA = {"ssmConvKernel": 4, "ssmInnerSize": 512, "ssmStateSize": 256}
MAMBA2 = {"ssmConvKernel": 4, "ssmInnerSize": 2048, "ssmStateSize": 128, "ssmGroupCount": 8}


def header(architecture: str, memory: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"architecture": architecture, **PLAIN, **more, "memory": memory or {}}


WIDE: dict[str, Any] = {"keyLength": 64, "valueLength": 64}
GEMMA3: dict[str, Any] = {
    "headCountKv": 2,
    "keyLength": 128,
    "valueLength": 128,
    "slidingWindow": 512,
}


@pytest.mark.parametrize(
    ("gguf", "printed"),
    [
        pytest.param(header("llama"), 192, id="plain"),
        pytest.param(header("qwen3moe", **WIDE), 384, id="key length"),
        pytest.param(header("gemma3", **GEMMA3), 84, id="window by architecture"),
        pytest.param(header("gemma3", {"slidingWindowPeriod": 3}, **GEMMA3), 144, id="by number"),
        pytest.param(header("gpt-oss", slidingWindow=128, **WIDE), 201, id="half of the layers"),
        pytest.param(
            header(
                "deepseek2",
                {"keyLengthMla": 96, "valueLengthMla": 64},
                headCountKv=1,
                keyLength=288,
                valueLength=256,
            ),
            216,
            id="latent attention",
        ),
        pytest.param(header("mamba", MAMBA, headCount=0, headCountKv=0), 0, id="recurrent"),
    ],
)
def test_the_kv_cache_is_what_llama_server_prints(gguf: dict[str, Any], printed: float) -> None:
    assert estimate({"gguf": gguf}, PARAMS).kv_cache == printed * MIB


@pytest.mark.parametrize(
    ("gguf", "printed"),
    [
        pytest.param(header("mamba", MAMBA, headCount=0), 12.14, id="mamba"),
        pytest.param(header("mamba2", MAMBA2, headCount=0), 25.12, id="mamba 2"),
        pytest.param(header("llama"), 0, id="plain"),
    ],
)
def test_recurrent_states_are_what_llama_server_prints(
    gguf: dict[str, Any], printed: float
) -> None:
    found = estimate({"gguf": gguf}, PARAMS)
    assert found.states / MIB == pytest.approx(printed, abs=0.005)
    assert found.checkpoints == 32 * found.states


@pytest.mark.parametrize(
    ("gguf", "keys", "windowed"),
    [
        pytest.param(
            header("lfm2", {"headCountsKv": [0, 0, 4] * 4, "shortConvCache": 3}),
            4 * 4 * 32,
            0,
            id="heads by layer",
        ),
        pytest.param(
            header("qwen35", {"fullAttentionInterval": 4, **MAMBA2}), 3 * 4 * 32, 0, id="interval"
        ),
        pytest.param(
            header("qwen35", {"recurrentLayers": [1] * 11 + [0], **MAMBA2}), 4 * 32, 0, id="listed"
        ),
        pytest.param(
            header(
                "nemotron_h",
                {"headCountsKv": [0, 0, 4] * 4, "feedForwardLengths": [0, 512, 0] * 4, **MAMBA2},
            ),
            4 * 4 * 32,
            0,
            id="layers of a feed forward alone",
        ),
        pytest.param(header("falcon-h1", MAMBA2), 12 * 4 * 32, 0, id="both"),
        pytest.param(header("glm4moe", {"nextnPredictLayers": 1}), 11 * 4 * 32, 0, id="nextn"),
        pytest.param(
            header(
                "gemma4",
                {
                    "slidingWindowLayers": [1, 1, 0] * 4,
                    "headCountsKv": [4, 4, 2] * 4,
                    "keyLengthSwa": 64,
                    "sharedKvLayers": 6,
                },
                slidingWindow=512,
                keyLength=128,
            ),
            2 * 2 * 128,
            4 * 4 * 64,
            id="window by list, shared",
        ),
        pytest.param(header("bert"), 0, 0, id="encoder"),
    ],
)
def test_keys_of_a_token_are_those_of_layers_that_keep_them(
    gguf: dict[str, Any], keys: int, windowed: int
) -> None:
    found = cache_layers(gguf)
    assert (found.key, found.window_key, found.exact) == (keys, windowed, True)


def test_only_layers_with_a_feed_forward_of_nemotron_h_have_no_state() -> None:
    memory = {"headCountsKv": [0, 0, 4], "feedForwardLengths": [0, 512, 0], **MAMBA2}
    state = cache_layers(header("nemotron_h", memory, blockCount=3)).state
    assert state == cache_layers(header("mamba2", memory, blockCount=1)).state > 0


def test_without_flash_attention_values_are_as_wide_as_the_widest() -> None:
    gguf = header("llama", {"headCountsKv": [4] + [1] * 11})
    assert cache_layers(gguf).value == (4 + 11) * 32
    assert cache_layers(gguf, padded=True).value == 12 * 4 * 32


@pytest.mark.parametrize("architecture", ["gemma4", "qwen35", "deepseek2", "bert", "lfm2"])
def test_an_unknown_architecture_never_counts_less(architecture: str) -> None:
    memory = {
        "headCountsKv": [0, 4, 2] * 4, "slidingWindowLayers": [1] * 12, "keyLengthMla": 32,
        "valueLengthMla": 32, "sharedKvLayers": 4, "shortConvCache": 3,
    }  # fmt: skip
    known, unknown = (
        estimate({"gguf": header(name, memory, slidingWindow=512)}, PARAMS)
        for name in (architecture, "new")
    )
    assert not known.bound
    assert unknown.bound
    assert known.kv_cache <= unknown.kv_cache
    assert known.states <= unknown.states


_JSON = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=9)
    | st.lists(st.integers(), max_size=9)
)


@given(
    st.sampled_from(["gemma4", "qwen35", "mamba", "lfm2", "nemotron_h", "kimi-linear", "new"]),
    st.dictionaries(st.sampled_from(FIELDS), _JSON),
    st.integers(),
)
def test_any_header_has_an_estimate(architecture: str, memory: Any, layers: int) -> None:
    gguf = header(architecture, memory, blockCount=layers)
    assert estimate({"gguf": gguf}, PARAMS).total > 0
