"""A cache type that the model's heads don't allow causes a warning.

What llama-server does with each is that of build 11669.
"""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.policy.cache_types import cache_type_warnings
from tests.support.builders.resources import make_model, make_serve

HEADS_OF_80 = {"embeddingLength": 2560, "headCount": 32}


def warned(gguf: dict[str, int], **params: Any) -> str:
    found = cache_type_warnings(make_serve(runtimeParams=params), make_model(gguf=gguf))
    return "; ".join(f"{each.field}: {each.message}" for each in found)


@pytest.mark.parametrize("kind", ["q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"])
@pytest.mark.parametrize("field", ["cacheTypeK", "cacheTypeV"])
def test_a_quantised_cache_whose_blocks_do_not_divide_a_head_is_warned_of(
    field: str, kind: str
) -> None:
    found = warned(HEADS_OF_80, **{field: kind})
    assert found.startswith(f"spec.runtimeParams.{field}: {kind} needs heads of a multiple of 32")
    assert "those of this model have 80: llama-server exits; write f16" in found


def test_both_cache_types_are_warned_of() -> None:
    found = warned(HEADS_OF_80, cacheTypeK="q8_0", cacheTypeV="q4_0", flashAttention="on")
    assert "cacheTypeK: q8_0" in found
    assert "cacheTypeV: q4_0" in found


def test_lengths_that_the_header_gives_count() -> None:
    given = {"embeddingLength": 2560, "headCount": 20, "keyLength": 80, "valueLength": 128}
    found = warned(given, cacheTypeK="q8_0", cacheTypeV="q8_0")
    assert "cacheTypeK: q8_0" in found
    assert "cacheTypeV" not in found


@pytest.mark.parametrize(
    ("gguf", "params"),
    [
        pytest.param(HEADS_OF_80, {}, id="default"),
        pytest.param(HEADS_OF_80, {"cacheTypeK": "bf16", "cacheTypeV": "f32"}, id="unquantised"),
        pytest.param(
            HEADS_OF_80, {"cacheTypeK": "q8_0", "flashAttention": "off"}, id="no flash attention"
        ),
        pytest.param(
            {"embeddingLength": 2048, "headCount": 32}, {"cacheTypeK": "q8_0"}, id="heads of 64"
        ),
        pytest.param({}, {"cacheTypeK": "q8_0", "cacheTypeV": "q8_0"}, id="unknown heads"),
    ],
)
def test_usable_cache_type_has_no_warning(gguf: dict[str, int], params: dict[str, str]) -> None:
    assert warned(gguf, **params) == ""


def test_unknown_model_has_no_warning() -> None:
    assert not list(cache_type_warnings(make_serve(runtimeParams={"cacheTypeK": "q8_0"}), None))
