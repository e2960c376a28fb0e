"""Whether the bytes are the model that was promised."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev import samplegguf
from roadstead.errors import ContentError
from roadstead.transfer.content import FIRST_LOOK_BYTES, Verifier

RAW = samplegguf.sample(40_000)
SHA256 = hashlib.sha256(RAW).hexdigest()


def followed(raw: bytes, size: int, step: int) -> Verifier:
    """A verifier that saw all of it, in chunks of `step` bytes."""
    verifier = Verifier(size)
    for at in range(0, len(raw), step):
        verifier.follow(memoryview(raw)[at : at + step])
    return verifier


@given(step=st.integers(100, len(RAW)))
def test_digest_and_header_do_not_depend_on_the_chunks(step: int) -> None:
    verified = followed(RAW, len(RAW), step).finish(SHA256)
    assert verified.sha256 == SHA256
    assert verified.header.architecture == "llama"


def test_another_digest_is_refused() -> None:
    with pytest.raises(ContentError, match="was promised"):
        followed(RAW, len(RAW), 1000).finish("0" * 64)


def test_missing_bytes_are_noticed() -> None:
    with pytest.raises(ContentError) as caught:
        followed(RAW[:-1], len(RAW), 1000).finish(None)
    assert caught.value.reason == "SizeMismatch"


def test_bad_header_is_noticed_before_the_rest_arrives() -> None:
    verifier = Verifier(2**34)
    for _ in range(FIRST_LOOK_BYTES // 2**20 - 1):
        verifier.follow(memoryview(bytes(2**20)))
    with pytest.raises(ContentError, match="no gguf file"):
        verifier.follow(memoryview(bytes(2**20)))
