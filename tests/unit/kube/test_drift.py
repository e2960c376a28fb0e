"""The fields that count as drift."""

from typing import Any

import pytest

from roadstead.kube.drift import drifted, has_surplus, without_surplus
from tests.unit.kube.memory_api import merged


@pytest.mark.parametrize(
    ("desired", "observed"),
    [
        pytest.param({"a": 1}, {"a": 1, "default": 2}, id="default"),
        pytest.param({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1"}}, id="quantity"),
        pytest.param({"requests": {"cpu": 2}}, {"requests": {"cpu": "2"}}, id="number"),
        pytest.param({"labels": {}}, {}, id="empty"),
        pytest.param({"nodeSelector": {}}, {}, id="empty-selector"),
        pytest.param({"args": [{"a": 1}]}, {"args": [{"a": 1, "b": 2}]}, id="list"),
    ],
)
def test_defaults_and_normalized_values_are_not_drift(desired: Any, observed: Any) -> None:
    assert not drifted(desired, observed)


@pytest.mark.parametrize(
    ("desired", "observed"),
    [
        pytest.param({"a": 1}, {"a": 2}, id="value"),
        pytest.param({"a": 1}, {}, id="missing"),
        pytest.param({"args": ["1"]}, {"args": ["1", "2"]}, id="longer"),
        pytest.param({"args": ["1000m"]}, {"args": ["1"]}, id="no-quantity"),
        pytest.param({"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}, id="quantity"),
        pytest.param({"a": {"b": 1}}, {"a": None}, id="section"),
        pytest.param({"selector": {"a": "1"}}, {"selector": {"a": "1", "b": "2"}}, id="selector"),
        pytest.param(
            {"podSelector": {"matchLabels": {"a": "1"}}},
            {"podSelector": {"matchLabels": {"a": "1", "b": "2"}}},
            id="pod-selector",
        ),
    ],
)
def test_changed_fields_are_drift(desired: Any, observed: Any) -> None:
    assert drifted(desired, observed)


@pytest.mark.parametrize(
    "observed",
    [
        pytest.param({"tls": {"secretName": "theirs"}, "rules": [{"a": 1}]}, id="within"),
        pytest.param({"tls": {}, "rules": [{"a": 1}], "parentRefs": []}, id="beside"),
        pytest.param({"tls": {}, "rules": [{"a": 1, "b": {"c": 1}}]}, id="in-a-list"),
    ],
)
def test_added_fields_are_removed_by_a_merge_patch(observed: dict[str, Any]) -> None:
    desired = {"tls": {}, "rules": [{"a": 1}]}
    assert has_surplus(desired, observed)
    assert merged(observed, without_surplus(desired, observed)) == desired


@pytest.mark.parametrize("observed", [{"tls": {}, "a": [{"b": 1}]}, {"a": [{"b": 2}]}, {"a": None}])
def test_an_object_without_added_fields_has_no_surplus(observed: dict[str, Any]) -> None:
    assert not has_surplus({"tls": {}, "a": [{"b": 1}]}, observed)
