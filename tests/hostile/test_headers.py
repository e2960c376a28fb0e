"""The cost of a crafted gguf header for the transfer of a model."""

from __future__ import annotations

import functools
import itertools
import struct
import tracemalloc
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dev import samplegguf
from roadstead.errors import ContentError
from roadstead.gguf.gguf_header import MAX_TENSORS
from roadstead.transfer.content import ContentVerifier
from tests.support.growth import excess

MIB = 2**20
MOST = 8 * MIB
CHUNK = 64 * 1024
Block = Callable[[int], bytes]
"""One metadata pair; the number makes its key unique."""


def pair(key: str, kind: int, value: bytes) -> bytes:
    return samplegguf.text(key) + struct.pack("<I", kind) + value


def array(key: str, kind: int, count: int, items: bytes) -> bytes:
    return pair(key, 9, struct.pack("<IQ", kind, count) + items)


BLOCKS: dict[str, Block] = {
    "array of numbers": lambda at: array(f"k{at}", 7, 4096, b"\1" * 4096),
    "array of numbers that may be used": lambda at: array(
        f"k{at}.attention.head_count", 0, 4096, b"\1" * 4096
    ),
    "long key": lambda at: pair(f"\U0001f600{at}" + "k" * 60_000, 0, b"\0"),
    "long key that may be used": lambda at: pair(f"{'k' * 60_000}{at}.block_count", 0, b"\0"),
    "short key": lambda at: pair(f"k{at}.block_count", 0, b"\1"),
    "long text": lambda at: pair(f"k{at}", 8, samplegguf.text("\U0001f600" + "t" * 60_000)),
    "text of a key that is used": lambda at: pair(
        f"k{at}.block_count", 8, samplegguf.text("\U0001f600" + "t" * 60_000)
    ),
    "strings": lambda at: array(f"k{at}", 8, 8192, bytes(8 * 8192)),
    "long array": lambda at: array(f"k{at}", 0, 60_000, bytes(60_000)),
}


def preamble(tensors: int, keys: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys)


def of_blocks(blocks: Iterable[Block], length: int) -> Iterator[bytes]:
    """A header of about `length` bytes with these pairs in turn, which is never complete."""
    yield preamble(1, 2**14)
    written = 0
    for at, block in zip(range(2**14), itertools.cycle(blocks), strict=False):
        raw = block(at)
        written += len(raw)
        if written > length:
            return
        yield raw


def of_tensors(count: int) -> Iterator[bytes]:
    """A header with so many tensors of one byte, each with a unique name of the maximum length."""
    yield preamble(count, 0)
    for at in range(count):
        yield samplegguf.text(f"{at:063}") + struct.pack("<IQIQ", 1, 1, 24, 32 * at)


def in_chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        rest += piece
        if len(rest) >= CHUNK:
            yield rest
            rest = b""
    yield rest


def follow(pieces: Iterable[bytes]) -> str:
    """The reason why the model is refused; empty if it is not known yet."""
    verifier = ContentVerifier(2**40)
    for chunk in in_chunks(pieces):
        try:
            verifier.follow(memoryview(chunk))
        except ContentError as error:
            return str(error)
    return ""


def peak(pieces: Iterable[bytes]) -> int:
    """Peak of allocated bytes while a model is verified."""
    tracemalloc.start()
    try:
        follow(pieces)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", BLOCKS)
def test_long_header_takes_little_memory(name: str) -> None:
    assert peak(of_blocks([BLOCKS[name]], 12 * MIB)) < MOST


def test_many_tensors_take_little_memory() -> None:
    assert peak(of_tensors(MAX_TENSORS)) < MOST


@given(blocks=st.lists(st.sampled_from(list(BLOCKS.values())), min_size=2, max_size=6))
@settings(max_examples=10, deadline=None)
def test_any_header_takes_little_memory(blocks: list[Block]) -> None:
    assert peak(of_blocks(blocks, 4 * MIB)) < MOST


@pytest.mark.parametrize("name", BLOCKS)
def test_long_header_takes_linear_time(name: str) -> None:
    def prepare(length: int) -> Callable[[], object]:
        return functools.partial(follow, list(of_blocks([BLOCKS[name]], length)))

    assert not excess(prepare, length=8 * MIB)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            of_blocks([lambda at: array(f"k{at}", 8, 2**19, bytes(8 * 2**19))], 64 * MIB),
            id="strings",
        ),
        pytest.param(
            of_blocks([lambda at: array(f"k{at}.block_count", 0, 4096, bytes(4096))], 64 * MIB),
            id="numbers",
        ),
    ],
)
def test_one_limit_covers_the_whole_header(pieces: Iterator[bytes]) -> None:
    assert "more than 4194304 keys, tensors and items" in follow(pieces)
