"""The bytes of a model are verified."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev import samplegguf
from roadstead.errors import ContentError, PartsDamaged
from roadstead.transfer.content import ContentVerifier, PartsVerifier

RAW = samplegguf.sample(40_000)
SHA256 = hashlib.sha256(RAW).hexdigest()


def followed(raw: bytes, size: int, step: int) -> ContentVerifier:
    """Return a verifier that processed all bytes, in chunks of `step`."""
    verifier = ContentVerifier(size)
    for at in range(0, len(raw), step):
        verifier.follow(memoryview(raw)[at : at + step])
    return verifier


@given(step=st.integers(100, len(RAW)))
def test_digest_and_header_do_not_depend_on_the_chunks(step: int) -> None:
    verified = followed(RAW, len(RAW), step).finish(SHA256)
    assert verified.sha256 == SHA256
    assert verified.header.architecture == "llama"


def test_unexpected_digest_is_refused() -> None:
    with pytest.raises(ContentError, match="expected 000"):
        followed(RAW, len(RAW), 1000).finish("0" * 64)


def test_missing_bytes_are_detected() -> None:
    with pytest.raises(ContentError) as caught:
        followed(RAW[:-1], len(RAW), 1000).finish(None)
    assert caught.value.reason == "SizeMismatch"


def test_invalid_header_is_reported_before_the_rest_arrives() -> None:
    verifier = ContentVerifier(2**34)
    with pytest.raises(ContentError, match="not a gguf file"):
        verifier.follow(memoryview(bytes(2**20)))


PART = 16_000
PARTS = [RAW[at : at + PART] for at in range(0, len(RAW), PART)]
ETAGS = {
    number: hashlib.md5(part, usedforsecurity=False).hexdigest()
    for number, part in enumerate(PARTS, start=1)
}
OF_ALL = hashlib.md5(bytes.fromhex("".join(ETAGS.values())), usedforsecurity=False).hexdigest()
ETAG = f"{OF_ALL}-{len(PARTS)}"


def compared(raw: bytes, step: int, etags: dict[int, str], etag: str = "") -> PartsVerifier:
    """Return a verifier of parts that processed all bytes, in chunks of `step`."""
    verifier = PartsVerifier(len(RAW), PART, etags=etags, etag=etag)
    for at in range(0, len(raw), step):
        verifier.follow(memoryview(raw)[at : at + step])
    return verifier


@given(step=st.integers(100, len(RAW)))
def test_parts_are_compared_for_chunks_of_any_size(step: int) -> None:
    assert compared(RAW, step, ETAGS, ETAG).finish(None).sha256 == SHA256


@given(damaged=st.integers(PART, len(RAW) - 1), step=st.integers(100, len(RAW)))
def test_damage_in_a_part_of_an_earlier_run_is_detected(damaged: int, step: int) -> None:
    wrong = bytearray(RAW)
    wrong[damaged] ^= 1
    with pytest.raises(PartsDamaged, match=f"part {damaged // PART + 1},"):
        compared(bytes(wrong), step, ETAGS)


def test_invalid_header_is_reported_after_its_part_was_compared() -> None:
    bad = memoryview(b"<html>" + RAW[6:])
    verifier = PartsVerifier(len(bad), PART, etags={})
    verifier.follow(bad[: PART - 1])
    with pytest.raises(ContentError, match="not a gguf file"):
        verifier.follow(bad[PART - 1 : PART])


def test_damage_in_an_object_is_detected_by_its_etag() -> None:
    with pytest.raises(PartsDamaged, match="the object"):
        compared(RAW[:-1] + b"x", 1000, {}, ETAG).finish(None)


@pytest.mark.parametrize("etag", ["", "0" * 32, "0" * 32 + "-7", "random"])
def test_etag_that_is_not_a_digest_is_ignored(etag: str) -> None:
    assert compared(RAW, 1000, {1: "random"}, etag).finish(None).sha256 == SHA256
