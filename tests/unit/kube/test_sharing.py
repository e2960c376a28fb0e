"""Shared values equal the originals and exist once."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roadstead.kube.sharing import MAX_SHARED_PARTS, Sharing

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(JSON))
def test_shared_values_equal_the_originals(values: list[Any]) -> None:
    sharing = Sharing(limit=20)
    assert [json.dumps(sharing.of(value)) for value in values] == [*map(json.dumps, values)]


def test_equal_parts_of_two_objects_are_shared() -> None:
    sharing = Sharing()
    first, second = (
        sharing.of({"name": name, "spec": {"ports": [{"port": 80}]}}) for name in ("one", "two")
    )
    assert first["spec"] is second["spec"]


def test_a_list_and_a_dict_of_the_same_parts_are_distinct() -> None:
    sharing = Sharing()
    assert sharing.of([{}, [], ["a", "b"], {"a": "b"}]) == [{}, [], ["a", "b"], {"a": "b"}]


def test_one_and_true_are_distinct() -> None:
    sharing = Sharing()
    assert json.dumps(sharing.of([{"a": 1}, {"a": True}, {"a": 1.0}])) == (
        '[{"a": 1}, {"a": true}, {"a": 1.0}]'
    )


def test_the_number_of_shared_parts_is_bounded() -> None:
    sharing = Sharing()
    for number in range(2 * MAX_SHARED_PARTS):
        sharing.of({"number": str(number)})
    assert len(sharing) <= MAX_SHARED_PARTS
