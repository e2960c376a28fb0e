"""Where a transfer writes, and what it can reuse."""

import dataclasses

from roadstead.api.model import StoreLocation
from roadstead.source.ranges import SourceObject
from roadstead.source.spans import plan_layout
from roadstead.store.multipart import Part
from roadstead.store.stored_objects import StoredObject
from roadstead.transfer.messages import Resume
from roadstead.transfer.placement import (
    can_resume,
    choose_destination,
    leftovers,
    may_match,
    reusable_parts,
)

TARGET = StoreLocation(endpoint="http://store:9000", bucket="models", path="a.gguf")
FOUND = SourceObject(size=100, etag='"e"')
STORED = StoredObject(size=100, etag="x", sha256=None)
RESUME = Resume(upload_id="u", key="a.gguf", part_size_bytes=64, source_etag='"e"', size_bytes=100)


def test_free_target_is_written_directly() -> None:
    assert choose_destination(TARGET, "uid", None) == TARGET


def test_target_with_an_object_is_replaced_through_staging() -> None:
    assert choose_destination(TARGET, "uid", STORED).path == "a.gguf.roadstead-uid"


def test_object_of_the_same_size_may_match() -> None:
    assert may_match(STORED, sha256="0" * 64, found=FOUND)


def test_object_of_another_size_does_not_match() -> None:
    other = dataclasses.replace(STORED, size=99)
    assert not may_match(other, sha256="0" * 64, found=FOUND)


def test_object_with_another_digest_in_its_metadata_does_not_match() -> None:
    other = dataclasses.replace(STORED, sha256="1" * 64)
    assert not may_match(other, sha256="0" * 64, found=FOUND)


def test_object_without_a_digest_is_matched_by_the_source_s_etag() -> None:
    assert not may_match(STORED, sha256=None, found=FOUND)
    assert may_match(dataclasses.replace(STORED, source_etag='"e"'), sha256=None, found=FOUND)


def test_upload_of_the_same_source_and_key_is_resumed() -> None:
    assert can_resume(RESUME, TARGET, FOUND)


def test_upload_to_another_key_is_not_resumed() -> None:
    assert not can_resume(RESUME, choose_destination(TARGET, "uid", STORED), FOUND)


def test_upload_of_another_source_is_not_resumed() -> None:
    assert not can_resume(RESUME, TARGET, SourceObject(size=100, etag='"f"'))


def test_parts_of_another_size_are_not_reused() -> None:
    spans = plan_layout(100, 4, part_size=64).spans
    parts = {1: Part(number=1, size=64, etag="a"), 2: Part(number=2, size=64, etag="b")}
    assert list(reusable_parts(parts, spans)) == [1]


def test_leftovers_include_the_key_of_the_upload() -> None:
    places = leftovers(TARGET, "uid", "older.gguf.roadstead-uid")
    assert [place.path for place in places] == ["a.gguf.roadstead-uid", "older.gguf.roadstead-uid"]


def test_leftovers_never_include_the_target() -> None:
    assert [place.path for place in leftovers(TARGET, "uid", "a.gguf")] == ["a.gguf.roadstead-uid"]
