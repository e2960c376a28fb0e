"""A server that can't process inputs in the modes Embedding and Rerank causes a warning.

What llama-server answers is that of build 11669.
"""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.policy.input_length import input_warnings
from tests.support.builders.resources import make_model, make_serve


def warned(pooling: str = "", **params: Any) -> str:
    gguf = {"poolingType": pooling} if pooling else {}
    serve = make_serve(runtimeParams=params)
    found = input_warnings(serve, make_model(gguf=gguf))
    return "; ".join(f"{each.field}: {each.message}" for each in found)


@pytest.mark.parametrize(
    ("mode", "pooling", "extra", "message"),
    [
        pytest.param("Embedding", "none", [], "answers 400 at /v1/embeddings", id="none"),
        pytest.param("Embedding", "unspecified", [], "or add [--pooling, mean]", id="unspecified"),
        pytest.param("Embedding", "mean", ["--pooling", "none"], "type none answers", id="flag"),
        pytest.param("Embedding", "rank", [], "use mode Rerank or an embedding", id="reranker"),
        pytest.param("Embedding", "cls", ["--pooling=rank"], "use mode Rerank", id="rank by flag"),
        pytest.param("Rerank", "mean", [], "type is mean: its scores are", id="no reranker"),
        pytest.param(
            "Rerank", "rank", ["--pooling", "mean"], "answers 501 at /v1/rerank", id="no rank"
        ),
    ],
)
def test_a_pooling_type_that_the_mode_cannot_use_is_warned_of(
    mode: str, pooling: str, extra: list[str], message: str
) -> None:
    found = warned(pooling, mode=mode, extraArgs=extra)
    assert found.startswith("spec.runtimeParams.mode: ")
    assert message in found


@pytest.mark.parametrize(
    ("mode", "pooling", "extra"),
    [
        pytest.param("Chat", "none", [], id="chat"),
        pytest.param("Embedding", "", [], id="unknown"),
        pytest.param("Embedding", "mean", [], id="mean"),
        pytest.param("Embedding", "unspecified", ["--pooling", "mean"], id="given"),
        pytest.param("Embedding", "last", [], id="last"),
        pytest.param("Rerank", "rank", [], id="reranker"),
        pytest.param("Rerank", "unspecified", [], id="older conversion of a reranker"),
        pytest.param("Rerank", "", [], id="unknown reranker"),
        pytest.param("Rerank", "rank", ["--pooling", "rank"], id="rank"),
    ],
)
def test_usable_pooling_type_has_no_warning(mode: str, pooling: str, extra: list[str]) -> None:
    assert warned(pooling, mode=mode, extraArgs=extra) == ""


def test_spec_is_checked_before_the_model_is_known() -> None:
    serve = make_serve(runtimeParams={"mode": "Embedding", "extraArgs": ["--pooling", "none"]})
    assert [each.reason for each in input_warnings(serve, None)] == ["PoolingUnusable"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"ubatchSize": 512},
            "ubatchSize: 512; llama-server answers 500 to inputs",
        ),
        (
            {"batchSize": 2048},
            "batchSize: 2048; llama-server answers 500 to inputs",
        ),
        ({"ubatchSize": 4096, "batchSize": 4096}, ""),
        ({}, ""),
    ],
)
def test_batches_that_are_shorter_than_an_input_are_warned_of(
    params: dict[str, Any], message: str
) -> None:
    found = warned("mean", mode="Embedding", contextSize=4096, **params)
    assert (message in found) if message else not found


def test_with_pooling_by_the_last_token_short_batches_are_enough() -> None:
    assert warned("last", mode="Embedding", ubatchSize=512) == ""
