"""Whether the types of a server's KV cache suit the heads of its model."""

from __future__ import annotations

from collections.abc import Iterator

from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, positive, section
from roadstead.policy.chain import Violation

_UNQUANTISED = ("f32", "f16", "bf16")
_BLOCK = 32
"""Elements of a block, of each quantised type that a cache can have."""


def cache_type_warnings(serve: ModelServe, model: Model | None) -> Iterator[Violation]:
    """A quantised type whose blocks don't divide a head, with which llama-server exits.

    It doesn't without flash attention. Source: `llama_init_from_model` in src/llama-context.cpp of
    ggml-org/llama.cpp, and tried on build 11669.
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
                message=f"{given} needs heads of a multiple of {_BLOCK} elements, and those of "
                f"this model have {head}: llama-server exits; {instead}",
                field=f"spec.runtimeParams.{field}",
            )


def _width(gguf: Raw) -> int:
    """Of a head, where the header doesn't say it; 0 where that is not known."""
    heads = positive(gguf, "headCount")
    return positive(gguf, "embeddingLength") // heads if heads else 0
