"""How much memory a server needs, and whether its limit is sufficient."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.memory import estimate, server_memory
from roadstead.policy.memory_fit import memory_fit
from tests.support.builders.resources import SIZE, make_model
from tests.unit.policy.contracts import make_demanding

MIB = 2**20
GEMMA = {
    "architecture": "gemma3",
    "contextLength": 32768,
    "blockCount": 18,
    "embeddingLength": 640,
    "headCount": 4,
    "headCountKv": 1,
    "keyLength": 256,
    "valueLength": 256,
    "slidingWindow": 512,
    "headerBytes": 6_525_120,
}
STATUS = {"sizeBytes": SIZE, "gguf": GEMMA}


@pytest.mark.parametrize(
    ("params", "mebibytes"),
    [
        pytest.param({"contextSize": 512}, 9, id="512"),
        pytest.param({"contextSize": 2048}, 21, id="2048"),
        pytest.param({"contextSize": 8192}, 39, id="8192"),
        pytest.param({"contextSize": 32768}, 111, id="32768"),
        pytest.param({"contextSize": 8192, "parallel": 4}, 84, id="four slots"),
        pytest.param({"contextSize": 8192, "ubatchSize": 128}, 35.25, id="a small batch"),
        pytest.param({"contextSize": 8192, "ubatchSize": 2048}, 61.5, id="a large batch"),
        pytest.param({"contextSize": 8192, "extraArgs": ["--swa-full"]}, 144, id="full window"),
        pytest.param(
            {"contextSize": 8192, "cacheTypeK": "q8_0", "cacheTypeV": "q8_0"}, 20.71875, id="q8_0"
        ),
        pytest.param(
            {"contextSize": 8192, "cacheTypeK": "q4_0", "cacheTypeV": "q4_0"}, 10.96875, id="q4_0"
        ),
    ],
)
def test_the_kv_cache_is_what_llama_server_prints_for_gemma_3_270m(
    params: dict[str, Any], mebibytes: float
) -> None:
    assert estimate(STATUS, params).kv_cache == mebibytes * MIB


@pytest.mark.parametrize(
    ("params", "printed"),
    [
        pytest.param({"contextSize": 512}, 20.28, id="512"),
        pytest.param({"contextSize": 8192}, 28.28, id="8192"),
        pytest.param({"contextSize": 32768}, 52.28, id="32768"),
        pytest.param({"contextSize": 8192, "ubatchSize": 128}, 7.76, id="a small batch"),
        pytest.param({"contextSize": 8192, "ubatchSize": 2048}, 116.11, id="a large batch"),
        pytest.param({"contextSize": 8192, "parallel": 4}, 25.28, id="four slots"),
        pytest.param(
            {"contextSize": 8192, "flashAttention": "off"}, 95.27, id="without flash attention"
        ),
    ],
)
def test_buffers_are_those_that_llama_server_prints_or_a_little_more(
    params: dict[str, Any], printed: float
) -> None:
    assert printed * MIB <= estimate(STATUS, params).compute <= 1.35 * printed * MIB


def test_without_a_window_all_layers_cache_the_whole_context() -> None:
    gguf = {"blockCount": 2, "embeddingLength": 64, "headCount": 4}
    assert estimate({"gguf": gguf}, {"contextSize": 512}).kv_cache == 2 * 4 * (16 + 16) * 512 * 2


def test_a_window_of_an_unknown_architecture_saves_nothing() -> None:
    unknown = {**STATUS, "gguf": {**GEMMA, "architecture": "new"}}
    assert (
        estimate(unknown, {}).kv_cache == estimate(STATUS, {"extraArgs": ["--swa-full"]}).kv_cache
    )


@pytest.mark.parametrize(
    ("params", "checkpoints"),
    [
        pytest.param({}, 32, id="llama-server's default"),
        pytest.param({"parallel": 4}, 4 * 32, id="of each slot"),
        pytest.param({"contextCheckpoints": 3}, 3, id="as given"),
        pytest.param({"contextCheckpoints": 0}, 0, id="none by field"),
        pytest.param({"extraArgs": ["--ctx-checkpoints", "3"]}, 3, id="by flag"),
        pytest.param({"extraArgs": ["--swa-checkpoints", "3"]}, 3, id="by another name"),
        pytest.param({"extraArgs": ["--keep", "1", "--ctx-checkpoints=0"]}, 0, id="none"),
        pytest.param({"extraArgs": ["--ctx-checkpoints", "x"]}, 32, id="no number"),
        pytest.param({"extraArgs": ["--swa-full"]}, 0, id="no window"),
    ],
)
def test_checkpoints_of_the_window_are_kept(params: dict[str, Any], checkpoints: int) -> None:
    assert estimate(STATUS, params).checkpoints == checkpoints * 7.5 * MIB


@pytest.mark.parametrize("mode", ["Embedding", "Rerank"])
def test_only_chats_have_checkpoints(mode: str) -> None:
    assert estimate(STATUS, {"mode": mode}).checkpoints == 0


def test_the_prompt_cache_is_kept_beside_them() -> None:
    params = {"cacheRamMiB": 64, "extraArgs": ["--ctx-checkpoints", "0"]}
    assert estimate(STATUS, params).prompt_cache == 64 * MIB


def test_empty_header_is_estimated_by_weights_and_overhead() -> None:
    parts = estimate({"sizeBytes": 1000 * MIB, "gguf": {"blockCount": "x", "headCount": -1}}, {})
    assert (parts.kv_cache, parts.prompt_cache) == (0, 0)
    assert 1050 * MIB < parts.total < 1150 * MIB


def test_a_server_of_one_slot_has_the_same_estimate() -> None:
    params = {"contextSize": 2048, "cacheRamMiB": 8}
    assert server_memory(SIZE, GEMMA, 2048, cache_ram_mib=8) == estimate(STATUS, params).total


def limited(memory: str, **params: Any) -> Any:
    return make_demanding(resources={"limits": {"memory": memory}}, runtimeParams=params)


def test_too_small_limit_is_reported_with_the_estimate() -> None:
    model = make_model(gguf=GEMMA)
    serve = limited("256Mi", contextSize=2048)
    found = memory_fit(serve, model)
    assert found is not None
    assert (found.reason, found.field) == ("MemoryTooSmall", "spec.resources.limits.memory")
    assert "256Mi; each replica needs about 624Mi" in found.message
    assert "(weights 241 MiB, KV cache 21 MiB, compute buffers 24 MiB" in found.message


@pytest.mark.parametrize(
    ("params", "text"),
    [
        pytest.param({}, "or lower contextCheckpoints (", id="checkpoints"),
        pytest.param(
            {"contextSize": 65536, "contextCheckpoints": 0}, "or lower contextSize or", id="kv"
        ),
        pytest.param({"parallel": 8}, "or lower contextCheckpoints or parallel (", id="slots"),
        pytest.param(
            {"cacheRamMiB": 4096}, "or lower cacheRamMiB or contextCheckpoints", id="prompt cache"
        ),
        pytest.param(
            {"contextSize": 512, "contextCheckpoints": 0}, "or lower ubatchSize (", id="batch"
        ),
    ],
)
def test_too_small_limit_is_reported_with_the_most_effective_remedy_first(
    params: dict[str, Any], text: str
) -> None:
    found = memory_fit(limited("64Mi", **params), make_model(gguf=GEMMA))
    assert found is not None
    assert text in found.message


def test_an_unknown_architecture_is_warned_of_and_never_denied() -> None:
    model, serve = make_model(gguf={**GEMMA, "architecture": "new"}), limited("64Mi")
    assert memory_fit(serve, model, to_deny=True) is None
    found = memory_fit(serve, model)
    assert found is not None
    assert "each replica needs up to about " in found.message
    assert found.message.endswith("; the architecture new is not known, so this is an upper bound")


def test_a_recurrent_model_without_the_sizes_of_its_states_is_not_denied() -> None:
    model, serve = make_model(gguf={**GEMMA, "architecture": "qwen35"}), limited("64Mi")
    assert memory_fit(serve, model, to_deny=True) is None
    found = memory_fit(serve, model)
    assert found is not None
    assert "the states of its recurrent layers are not counted" in found.message


def test_sufficient_limit_is_allowed() -> None:
    model = make_model(gguf=GEMMA)
    needed = estimate(model.status, limited("1Gi").runtime_params).total
    assert memory_fit(limited(str(needed)), model) is None
    assert memory_fit(limited(str(needed - 1)), model) is not None


@pytest.mark.parametrize(
    ("resources", "stored"),
    [
        pytest.param({"limits": {"memory": "1Mi"}}, False, id="not stored"),
        pytest.param({"limits": {"memory": "1Mi", "nvidia.com/gpu": 1}}, True, id="on a gpu"),
        pytest.param({"requests": {"memory": "1Mi"}}, True, id="no limit"),
        pytest.param({"limits": {"memory": "some"}}, True, id="invalid quantity"),
    ],
)
def test_unknown_need_is_not_reported(resources: dict[str, Any], stored: bool) -> None:
    serve = make_demanding(resources=resources)
    assert memory_fit(serve, make_model(gguf=GEMMA, stored=stored)) is None
    assert memory_fit(serve, None) is None


_JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.text())


@given(
    st.dictionaries(st.sampled_from([*GEMMA, "sizeBytes"]), _JSON),
    st.dictionaries(
        st.sampled_from(["contextSize", "parallel", "batchSize", "cacheTypeK", "extraArgs"]), _JSON
    ),
)
def test_any_header_has_an_estimate(gguf: dict[str, Any], params: dict[str, Any]) -> None:
    parts = estimate({**gguf, "gguf": gguf}, params)
    assert all(size >= 0 for size in vars(parts).values())


@given(st.integers(256, 10**6), st.integers(256, 10**6))
def test_a_longer_context_never_needs_less(one: int, other: int) -> None:
    short, long = sorted([one, other])
    totals = [estimate(STATUS, {"contextSize": context}).total for context in (short, long)]
    assert totals[0] <= totals[1]
