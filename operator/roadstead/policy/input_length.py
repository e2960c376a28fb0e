"""Whether a server in the modes Embedding and Rerank can process its inputs."""

from __future__ import annotations

from collections.abc import Iterator

from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section
from roadstead.api.slots import (
    CHAT,
    RERANK,
    UNKNOWN,
    given_pooling,
    model_pooling,
    pooling_type,
    slots_of,
)
from roadstead.policy.chain import Violation

_PARAMS = "spec.runtimeParams"
_EMBEDDING_TYPES = ("mean", "cls", "last")


def input_warnings(serve: ModelServe, model: Model | None) -> Iterator[Violation]:
    """A pooling type that the mode can't use, and batches shorter than the longest input."""
    params, gguf = serve.runtime_params, section(model.status if model else {}, "gguf")
    mode = params.get("mode") or CHAT
    if mode == CHAT:
        return
    found = _rerank(params, gguf) if mode == RERANK else _embedding(params, gguf)
    if found:
        yield Violation(reason="PoolingUnusable", message=found, field=f"{_PARAMS}.mode")
    yield from _short_batches(params, gguf)


def _embedding(params: Raw, gguf: Raw) -> str:
    pooling = pooling_type(params, gguf)
    if pooling in (*_EMBEDDING_TYPES, UNKNOWN):
        return ""
    if pooling == "rank":
        return (
            "Embedding with pooling type rank, that of a reranker, returns scores, not embeddings: "
            "use mode Rerank or an embedding model"
        )
    return (
        f"Embedding with pooling type {pooling} answers 400 at /v1/embeddings: use an embedding "
        "model, or add [--pooling, mean] (or cls, or last) to extraArgs"
    )


def _rerank(params: Raw, gguf: Raw) -> str:
    given, own = given_pooling(params), model_pooling(gguf)
    if given not in ("rank", UNKNOWN):
        return (
            f"Rerank with pooling type {given} answers 501 at /v1/rerank: remove --pooling from "
            "extraArgs"
        )
    if own not in ("rank", "unspecified", UNKNOWN):
        return (
            f"Rerank needs a reranker, but the model's pooling type is {own}: its scores are "
            "meaningless; use mode Embedding or a reranker"
        )
    return ""


def _short_batches(params: Raw, gguf: Raw) -> Iterator[Violation]:
    slots = slots_of(params, gguf)
    if not slots.follows or slots.ubatch >= slots.needed:
        return
    field = "ubatchSize" if params.get("ubatchSize") else "batchSize"
    yield Violation(
        reason="BatchTooShort",
        message=f"{params.get(field)}; llama-server answers 500 to inputs of more than "
        f"{slots.ubatch} tokens, though a slot has a context of {slots.cells}: remove batchSize "
        "and ubatchSize, or lower contextSize",
        field=f"{_PARAMS}.{field}",
    )
