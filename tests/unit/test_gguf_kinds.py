"""Gguf files that are not a whole language model are refused with their kind."""

from __future__ import annotations

import pytest

from roadstead.gguf.gguf_header import InvalidGguf, parse_header
from tests.support.builders.gguf_files import LLAMA, WEIGHT, gguf_file, u16


def refusal(raw: bytes) -> str:
    """Why a file is refused; empty if it is not."""
    try:
        parse_header(raw, len(raw))
    except InvalidGguf as error:
        return str(error)
    return ""


def of(architecture: str, **more: str) -> bytes:
    """A file of one architecture (`.` of a key written as `__`)."""
    named = {key.replace("__", "."): value for key, value in more.items()}
    return gguf_file({"general.architecture": architecture, **named})


def part(number: int, count: int = 3) -> tuple[bytes, bytes]:
    return u16("split.no", number), u16("split.count", count)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(of("clip", general__type="mmproj"), "projector (mmproj)", id="mmproj"),
        pytest.param(of("clip"), "projector (mmproj)", id="older mmproj"),
        pytest.param(
            of("llama", general__type="mmproj"), "projector (mmproj)", id="its type alone"
        ),
        pytest.param(
            of("llama", general__type="adapter", adapter__type="lora"), "LoRA adapter", id="lora"
        ),
        pytest.param(of("llama", general__type="adapter"), "LoRA adapter", id="adapter"),
        pytest.param(of("llama", adapter__type="lora"), "LoRA adapter", id="lora without type"),
        pytest.param(
            of("llama", adapter__type="other\n"), "adapter of the type other,", id="other adapter"
        ),
        pytest.param(
            gguf_file({"general.type": "imatrix"}), "importance matrix (imatrix)", id="imatrix"
        ),
        pytest.param(of("controlvector"), "control vector", id="control vector"),
        pytest.param(of("flux"), "image or video model (general.architecture flux)", id="image"),
        pytest.param(of("wan"), "image or video model (general.architecture wan)", id="video"),
        pytest.param(of("eagle3"), "draft model for speculative decoding", id="draft"),
        pytest.param(gguf_file(LLAMA, ()), "only a vocabulary", id="vocabulary"),
    ],
)
def test_other_kinds_of_files_are_refused_with_their_kind(raw: bytes, message: str) -> None:
    assert message in refusal(raw)
    assert ": use " in refusal(raw) or "; use " in refusal(raw) or ": merge " in refusal(raw)


def test_kind_is_checked_before_tensors() -> None:
    raw = gguf_file({"general.type": "imatrix"}, [("x" * 64, (32,), 99)])
    assert "importance matrix" in refusal(raw)


@pytest.mark.parametrize("architecture", ["llama", "bert", "mamba", "t5encoder", "of-next-year"])
@pytest.mark.parametrize("kind", ["model", "of-next-year"])
def test_any_architecture_is_accepted(architecture: str, kind: str) -> None:
    raw = of(architecture, general__type=kind)
    assert parse_header(raw, len(raw)).architecture == architecture


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(gguf_file(LLAMA, (WEIGHT,), *part(0)), "part 1 of 3", id="first"),
        pytest.param(gguf_file({}, (WEIGHT,), *part(1)), "part 2 of 3", id="second"),
        pytest.param(gguf_file(LLAMA, (), *part(0)), "part 1 of 3", id="first without tensors"),
        pytest.param(
            gguf_file(LLAMA, (WEIGHT,), u16("split.count", 3)), "one part of", id="no number"
        ),
        pytest.param(gguf_file(LLAMA, (WEIGHT,), *part(7)), "one part of", id="wrong number"),
        pytest.param(
            gguf_file({}, [("x" * 64, (32,), 99)], *part(2)), "part 3 of 3", id="bad tensors"
        ),
    ],
)
def test_part_of_a_split_model_is_refused(raw: bytes, message: str) -> None:
    assert message in refusal(raw)
    assert "llama-gguf-split --merge" in refusal(raw)


@pytest.mark.parametrize("count", [0, 1])
def test_model_of_one_part_is_accepted(count: int) -> None:
    assert refusal(gguf_file(LLAMA, (WEIGHT,), *part(0, count))) == ""
