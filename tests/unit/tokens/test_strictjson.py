"""Strict JSON."""

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
    """Return an object with nested lists, `depth` levels in total."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@given(value=st.dictionaries(st.text(), VALUES, max_size=5), ascii_only=st.booleans())
def test_values_round_trip(value: dict[str, object], ascii_only: bool) -> None:
    assert loads_object(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(data=st.binary())
def test_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        assert isinstance(loads_object(data), dict)
    except ValueError:
        return


@given(data=st.text(alphabet='[]{}"\\,:a1 '))
def test_text_of_brackets_and_quotes_is_parsed_or_refused(data: str) -> None:
    try:
        assert loads_object(data.encode()) == json.loads(data)
    except ValueError:
        return


def test_nesting_up_to_the_limit_is_parsed() -> None:
    assert loads_object(nested(MAX_DEPTH))


def test_deeper_nesting_is_refused() -> None:
    with pytest.raises(ValueError, match="nested deeper"):
        loads_object(nested(MAX_DEPTH + 1))


def test_brackets_in_strings_do_not_count_as_nesting() -> None:
    assert loads_object(json.dumps({"a": '[{"' * 100, "b\\": "[" * 100}).encode())
