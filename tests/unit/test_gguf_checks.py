"""A gguf file that llama.cpp refuses is refused for the same reason.

llama-server (build 11669) exits with 1 for each kind of these files.
"""

from __future__ import annotations

import pytest

from roadstead.gguf.gguf_header import InvalidGguf, parse_header
from roadstead.gguf.gguf_types import BLOCKS, FILE_TYPES, REMOVED_TENSOR_TYPES, TENSOR_TYPES
from tests.support.builders.gguf_files import LLAMA, WEIGHT, Tensor, gguf_file, typed

U64 = (10, "Q")


def tensors(*kinds: int) -> bytes:
    """A file with a tensor of each of these types."""
    return gguf_file(LLAMA, [(f"blk.{at}", (256,), kind) for at, kind in enumerate(kinds)])


def refusal(raw: bytes, size: int = 0) -> str:
    """Why a file is refused; empty if it is not."""
    try:
        parse_header(raw, size or len(raw))
    except InvalidGguf as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(gguf_file(version=1), "version 1, which llama.cpp no longer reads", id="old"),
        pytest.param(gguf_file(version=4), "version 4, newer than 3", id="newer version"),
        pytest.param(gguf_file(version=3 << 24), "big endian", id="big endian"),
        pytest.param(gguf_file(LLAMA, [WEIGHT], typed("", 4, "I", 1)), "key is empty", id="no key"),
        pytest.param(
            gguf_file(LLAMA, [WEIGHT], typed("general.alignment", *U64, 32)),
            "general.alignment has the type u64, but llama.cpp reads only u32",
            id="alignment of another type",
        ),
        pytest.param(
            gguf_file({**LLAMA, "split.count": 0}),
            "split.count has the type u32, but llama.cpp reads only u16",
            id="split.count of another type",
        ),
        pytest.param(
            gguf_file({**LLAMA, "general.name": 7}), "general.name has the type u32", id="name"
        ),
        pytest.param(tensors(31), "type Q4_0_4_4, which llama.cpp has removed", id="removed"),
        pytest.param(tensors(43), "type 43, which llama.cpp b11434 does not know", id="newer type"),
        pytest.param(tensors(2**32 - 1), "type 4294967295, which", id="no type"),
        pytest.param(
            gguf_file(LLAMA, [("a", (33,), 8)]), "not a multiple of the 32 of a block", id="rows"
        ),
        pytest.param(
            gguf_file(LLAMA, [WEIGHT, WEIGHT]), "token_embd.weight is duplicated", id="twice"
        ),
        pytest.param(
            gguf_file(LLAMA, [("x" * 64, (32,), 0)]), "name has 64 bytes, more than 63", id="name64"
        ),
        pytest.param(gguf_file(LLAMA, [("a", (1,) * 5, 0)]), "has 5 dimensions", id="dimensions"),
    ],
)
def test_a_file_that_llama_cpp_refuses_is_refused(raw: bytes, message: str) -> None:
    assert message in refusal(raw)


@pytest.mark.parametrize("gap", [4, 32, -32])
def test_tensors_have_no_gap_between_them_and_do_not_overlap(gap: int) -> None:
    raw = gguf_file(LLAMA, [("first", (32,), 0), ("second", (32,), 0)], gap=gap)
    assert f"the tensor second is at offset {128 + gap} instead of 128" in refusal(raw + bytes(64))


def test_offsets_are_checked_after_types() -> None:
    shifted: list[Tensor] = [("first", (32,), 0), ("second", (32,), 0), ("third", (32,), 43)]
    assert "the tensor third has the type 43" in refusal(gguf_file(LLAMA, shifted, gap=32))


def test_tensors_are_checked_before_the_architecture() -> None:
    assert "type 43" in refusal(gguf_file({}, [("a", (32,), 43)]))


def test_too_many_elements_for_a_status_field_are_refused() -> None:
    raw = gguf_file(LLAMA, [("a", (2**62,), 41), ("b", (2**62,), 41)], data=False)
    assert "its tensors have impossible dimensions" in refusal(raw, 2**62)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "pointer of Git LFS"),
        (b"<!DOCTYPE html><html><head><title>Sign in</title>", "a web page"),
        (b"tjgg\x03\x00\x00\x00" + bytes(64), "one of its predecessors"),
    ],
)
def test_file_that_is_not_gguf_is_described(raw: bytes, message: str) -> None:
    assert message in refusal(raw)
    assert "not a gguf file" in refusal(raw)


def test_name_of_63_bytes_is_accepted() -> None:
    assert refusal(gguf_file(LLAMA, [("x" * 63, (32,), 0)])) == ""


@pytest.mark.parametrize("kind", TENSOR_TYPES)
def test_each_type_of_tensor_is_accepted(kind: int) -> None:
    raw = tensors(kind, kind)
    assert parse_header(raw, len(raw)).quantization == TENSOR_TYPES[kind]


def test_tables_have_the_same_types() -> None:
    assert TENSOR_TYPES.keys() == BLOCKS.keys()
    assert sorted(TENSOR_TYPES.keys() | REMOVED_TENSOR_TYPES.keys()) == list(range(43))


def test_q2_0_is_known_as_a_type_of_tensors_and_of_files() -> None:
    raw = gguf_file({**LLAMA, "general.file_type": 41}, [("a", (64,), 42)])
    assert (parse_header(raw, len(raw)).quantization, FILE_TYPES[41]) == ("Q2_0", "Q2_0")
    assert BLOCKS[42] == (64, 18)


def large_vocabulary() -> bytes:
    """A file of half a million tokens and as many merges: a header of more than 16 MB."""
    tokens = [f"token{at:07}" for at in range(2**19)]
    vocabulary = {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.merges": tokens}
    return gguf_file({**LLAMA, **vocabulary, "llama.context_length": 8192})


def test_a_header_of_16_mb_is_read() -> None:
    raw = large_vocabulary()
    header = parse_header(raw, len(raw))
    assert header.context_length == 8192
    assert 16 * 10**6 < header.header_bytes == len(raw) - 32 * 4 * 4


def test_an_unknown_type_of_file_is_named_by_its_tensors() -> None:
    raw = gguf_file({**LLAMA, "general.file_type": 99}, [("a", (64,), 42)])
    assert parse_header(raw, len(raw)).quantization == "Q2_0"
