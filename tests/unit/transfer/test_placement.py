"""Where the bytes of a transfer go."""

import dataclasses

from roadstead.api.location import StoreLocation
from roadstead.source.ranges import SourceObject
from roadstead.source.spans import plan_layout
from roadstead.store.multipart import Part
from roadstead.store.stored_objects import StoredObject
from roadstead.transfer.messages import Resume
from roadstead.transfer.placement import destination, fits, kept, leftovers, may_be_it

TARGET = StoreLocation(endpoint="http://store:9000", bucket="models", path="a.gguf")
FOUND = SourceObject(size=100, etag='"e"')
STORED = StoredObject(size=100, etag="x", sha256=None)
RESUME = Resume(upload_id="u", key="a.gguf", part_size_bytes=64, source_etag='"e"', size_bytes=100)


def test_free_target_is_written_to_directly() -> None:
    assert destination(TARGET, "uid", None) == TARGET


def test_target_that_holds_something_is_never_written_to() -> None:
    assert destination(TARGET, "uid", STORED).path == "a.gguf.roadstead-uid"


def test_object_of_the_right_size_is_worth_reading() -> None:
    assert may_be_it(STORED, sha256="0" * 64, found=FOUND)


def test_object_of_another_size_is_not() -> None:
    other = dataclasses.replace(STORED, size=99)
    assert not may_be_it(other, sha256="0" * 64, found=FOUND)


def test_object_that_was_uploaded_as_another_is_not() -> None:
    other = dataclasses.replace(STORED, sha256="1" * 64)
    assert not may_be_it(other, sha256="0" * 64, found=FOUND)


def test_without_a_digest_only_the_source_s_etag_tells() -> None:
    assert not may_be_it(STORED, sha256=None, found=FOUND)
    assert may_be_it(dataclasses.replace(STORED, source_etag='"e"'), sha256=None, found=FOUND)


def test_upload_goes_on_with_the_same_source_and_key() -> None:
    assert fits(RESUME, TARGET, FOUND)


def test_upload_to_another_key_does_not_go_on() -> None:
    assert not fits(RESUME, destination(TARGET, "uid", STORED), FOUND)


def test_upload_of_another_source_does_not_go_on() -> None:
    assert not fits(RESUME, TARGET, SourceObject(size=100, etag='"f"'))


def test_parts_of_another_size_are_not_kept() -> None:
    spans = plan_layout(100, 4, part_size=64).spans
    parts = {1: Part(number=1, size=64, etag="a"), 2: Part(number=2, size=64, etag="b")}
    assert list(kept(parts, spans)) == [1]


def test_replacement_may_be_left_where_its_upload_went_to() -> None:
    places = leftovers(TARGET, "uid", "older.gguf.roadstead-uid")
    assert [place.path for place in places] == ["a.gguf.roadstead-uid", "older.gguf.roadstead-uid"]


def test_upload_that_went_to_the_target_leaves_no_object() -> None:
    assert [place.path for place in leftovers(TARGET, "uid", "a.gguf")] == ["a.gguf.roadstead-uid"]
