"""Reading objects in which any field may be missing."""

import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.raw import Metadata, section, timestamp

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
)


def test_a_section_is_the_mapping_at_its_path() -> None:
    assert section({"spec": {"a": {"b": 1}}}, "spec", "a") == {"b": 1}


@given(st.dictionaries(st.sampled_from("abc"), JSON), st.lists(st.sampled_from("abc"), max_size=4))
def test_missing_section_is_empty(raw: dict[str, Any], path: list[str]) -> None:
    assert isinstance(section(raw, *path), dict)


def test_metadata_is_read_before_the_object_is_stored() -> None:
    meta = Metadata.parse({})
    assert (meta.name, meta.generation, meta.deleting, meta.finalizers) == ("", 0, False, ())


def test_object_with_deletion_timestamp_is_being_deleted() -> None:
    assert Metadata.parse({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}).deleting


def test_a_time_is_written_in_utc_to_the_second() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    moment = datetime.datetime(2026, 7, 1, 1, 30, 15, 999_999, tzinfo=zone)
    assert timestamp(moment) == "2026-06-30T23:30:15Z"
