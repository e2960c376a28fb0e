"""Whether the types of a server's KV cache are usable with the heads of its model."""

from __future__ import annotations

from collections.abc import Iterator

from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, positive, section
from roadstead.policy.chain import Violation

_UNQUANTISED = ("f32", "f16", "bf16")
_BLOCK = 32
"""Elements of a block, for each quantised type of a cache."""


def cache_type_warnings(serve: ModelServe, model: Model | None) -> Iterator[Violation]:
    """A quantised type whose blocks don't divide a head: llama-server exits.

    Without flash attention it doesn't. Source: `llama_init_from_model` in src/llama-context.cpp of
    ggml-org/llama.cpp; tested on build 11669.
    """
    params, gguf = serve.runtime_params, section(model.status if model else {}, "gguf")
    if params.get("flashAttention") == "off":
        return
    for field, length, instead in (
        ("cacheTypeK", "keyLength", "write f16, or flashAttention: 'off'"),
        ("cacheTypeV", "valueLength", "write f16"),
    ):
        given = params.get(field) or "f16"
        head = positive(gguf, length) or _width(gguf)
        if given not in _UNQUANTISED and head % _BLOCK:
            yield Violation(
                reason="CacheTypeUnusable",
                message=f"{given} needs heads of a multiple of {_BLOCK} elements, but those of "
                f"this model have {head}: llama-server exits; {instead}",
                field=f"spec.runtimeParams.{field}",
            )


def _width(gguf: Raw) -> int:
    """The default width of a head, if the header has none; 0 if it is unknown."""
    heads = positive(gguf, "headCount")
    return positive(gguf, "embeddingLength") // heads if heads else 0
