"""JSON that is read in one way only."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.tokens.strictjson import MAX_DEPTH, loads_object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


def nested(depth: int) -> bytes:
    """An object with lists in it, `depth` levels in all."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@given(value=st.dictionaries(st.text(), VALUES, max_size=5), ascii_only=st.booleans())
def test_what_json_writes_is_read_as_it_was(value: dict[str, object], ascii_only: bool) -> None:
    assert loads_object(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(data=st.binary())
def test_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        assert isinstance(loads_object(data), dict)
    except ValueError:
        return


@given(data=st.text(alphabet='[]{}"\\,:a1 '))
def test_text_of_brackets_and_quotes_is_read_or_refused(data: str) -> None:
    try:
        assert loads_object(data.encode()) == json.loads(data)
    except ValueError:
        return


def test_the_deepest_nesting_is_read() -> None:
    assert loads_object(nested(MAX_DEPTH))


def test_deeper_nesting_is_refused() -> None:
    with pytest.raises(ValueError, match="nested deeper"):
        loads_object(nested(MAX_DEPTH + 1))


def test_brackets_in_strings_are_no_nesting() -> None:
    assert loads_object(json.dumps({"a": '[{"' * 100, "b\\": "[" * 100}).encode())
