"""In the modes Embedding and Rerank a whole input is computed at once.

What llama-server prints and answers is that of build 11669.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.memory import estimate
from roadstead.api.slots import MAX_BATCH_SIZE, slots_of

MIB = 2**20
LAST = ["--pooling", "last"]
BERT = {
    "architecture": "bert", "blockCount": 2, "embeddingLength": 384, "headCount": 12,
    "poolingType": "cls",
}  # fmt: skip
LARGE_BERT = {**BERT, "embeddingLength": 1024, "headCount": 16}


def batches(gguf: dict[str, Any] | None = None, **params: Any) -> tuple[int, int]:
    slots = slots_of({"mode": "Embedding", **params}, gguf or {})
    return slots.batch, slots.ubatch


@pytest.mark.parametrize("mode", ["Embedding", "Rerank"])
def test_the_batches_follow_the_context(mode: str) -> None:
    assert batches(mode=mode) == (4096, 4096)
    assert batches(mode=mode, contextSize=8192) == (8192, 8192)
    assert batches(mode=mode, contextSize=8192, parallel=4) == (2048, 2048)


@pytest.mark.parametrize("mode", ["Chat", None])
def test_a_prompt_of_a_chat_is_computed_in_parts(mode: str | None) -> None:
    assert batches(mode=mode, contextSize=8192) == (2048, 512)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        pytest.param({"batchSize": 16384}, (16384, 8192), id="batch that is larger"),
        pytest.param({"batchSize": 1024}, (1024, 1024), id="batch that is smaller"),
        pytest.param({"ubatchSize": 1024}, (1024, 1024), id="ubatch"),
        pytest.param({"ubatchSize": 16384}, (16384, 16384), id="ubatch that is larger"),
        pytest.param({"batchSize": 2048, "ubatchSize": 1024}, (2048, 1024), id="both"),
    ],
)
def test_given_batch_sizes_are_kept(params: dict[str, Any], expected: tuple[int, int]) -> None:
    assert batches(contextSize=8192, **params) == expected


@pytest.mark.parametrize(
    ("params", "ubatch"),
    [
        pytest.param({"contextSize": 1024}, 513, id="rounded up"),
        pytest.param({"contextSize": 1024, "ubatchSize": 512}, 510, id="given"),
        pytest.param({"contextSize": 1024, "ubatchSize": 2}, 3, id="given and too small"),
        pytest.param(
            {"contextSize": 4096, "extraArgs": ["--kv-unified"]}, 4095, id="the whole context"
        ),
    ],
)
def test_ubatch_is_a_multiple_of_the_slots(params: dict[str, Any], ubatch: int) -> None:
    # With 512, 256 and 4096 pooling by mean aborts: GGML_ASSERT(ggml_can_mul_mat(a, b)) failed.
    assert batches(parallel=3, **params)[1] == ubatch


def test_slots_that_share_the_context_may_each_have_all_of_it() -> None:
    assert batches(contextSize=8192, parallel=4, extraArgs=["--kv-unified"]) == (8192, 8192)


@pytest.mark.parametrize(
    ("gguf", "params", "expected"),
    [
        pytest.param({}, {"extraArgs": LAST}, (2048, 512), id="flag"),
        pytest.param({"poolingType": "last"}, {}, (2048, 512), id="header"),
        pytest.param({"poolingType": "last"}, {"mode": "Rerank"}, (4096, 4096), id="rerank"),
        pytest.param({**BERT, "poolingType": "last"}, {}, (4096, 4096), id="no KV cache"),
        pytest.param(
            {"poolingType": "last"}, {"extraArgs": ["--pooling=mean"]}, (4096, 4096), id="by flag"
        ),
        pytest.param({}, {"extraArgs": ["--pooling", "mean", *LAST]}, (2048, 512), id="last flag"),
    ],
)  # fmt: skip
def test_with_pooling_by_the_last_token_an_input_is_computed_in_parts(
    gguf: dict[str, Any], params: dict[str, Any], expected: tuple[int, int]
) -> None:
    assert batches(gguf, **params) == expected


@pytest.mark.parametrize(
    ("gguf", "params", "printed"),
    [
        pytest.param(BERT, {"contextSize": 8192}, 248.19, id="8192"),
        pytest.param(BERT, {"contextSize": 8192, "parallel": 4}, 38.05, id="four slots"),
        pytest.param(LARGE_BERT, {"contextSize": 8192}, 448.19, id="wide"),
    ],
)
def test_the_batches_count_in_the_estimate(
    gguf: dict[str, Any], params: dict[str, Any], printed: float
) -> None:
    found = estimate({"gguf": gguf}, {"mode": "Embedding", **params}).compute
    assert printed * MIB <= found <= 1.6 * printed * MIB


_JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.text())
_PARAMS = ("contextSize", "parallel", "batchSize", "ubatchSize", "extraArgs", "mode")


@given(st.dictionaries(st.sampled_from(_PARAMS), _JSON))
def test_any_params_have_slots(params: dict[str, Any]) -> None:
    slots = slots_of(params, {})
    assert slots.ubatch > 0
    assert slots.batch > 0


@given(st.integers(256, 10_485_760), st.integers(1, 256), st.sampled_from([[], ["--kv-unified"]]))
def test_needed_ubatch_is_a_bounded_multiple(context: int, parallel: int, extra: list[str]) -> None:
    params = {"contextSize": context, "parallel": parallel, "extraArgs": extra}
    needed = slots_of({"mode": "Embedding", **params}, {}).needed
    assert needed % parallel == 0
    assert parallel <= needed <= MAX_BATCH_SIZE
