"""Label selectors of namespaces."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.selector import LabelSelector

_LABELS = {"team": "a", "env": "prod"}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param({}, True, id="empty selects all"),
        pytest.param({"matchLabels": {"team": "a", "env": "prod"}}, True, id="all labels"),
        pytest.param({"matchLabels": {"team": "a", "env": "test"}}, False, id="one label differs"),
        pytest.param(expression("team", "In", "b", "a"), True, id="in"),
        pytest.param(expression("tier", "In", "a"), False, id="in needs the label"),
        pytest.param(expression("team", "NotIn", "a"), False, id="not in"),
        pytest.param(expression("tier", "NotIn", "a"), True, id="not in takes a missing label"),
        pytest.param(expression("team", "Exists"), True, id="exists"),
        pytest.param(expression("team", "DoesNotExist"), False, id="does not exist"),
        pytest.param(expression("team", "Gt", "0"), False, id="an unknown operator"),
        pytest.param({"matchExpressions": ["team"]}, False, id="no requirement"),
        pytest.param(
            {"matchLabels": {"team": "a"}, **expression("env", "In", "test")},
            False,
            id="labels and expressions",
        ),
    ],
)
def test_a_selector_selects_by_all_its_requirements(raw: dict[str, Any], expected: bool) -> None:
    assert LabelSelector.parse(raw).selects(_LABELS) is expected


@given(
    st.sampled_from([("In", "NotIn"), ("Exists", "DoesNotExist")]),
    st.lists(st.sampled_from("abc"), min_size=1),
    st.dictionaries(st.sampled_from(["team", "env"]), st.sampled_from("abc")),
)
def test_an_operator_and_its_opposite_never_agree(
    operators: tuple[str, str], values: list[str], labels: dict[str, str]
) -> None:
    answers = [
        LabelSelector.parse(expression("team", operator, *values)).selects(labels)
        for operator in operators
    ]
    assert answers[0] != answers[1]
