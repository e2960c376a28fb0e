"""No value changes the structure of a rendered object."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from roadstead.manifests.rendering import json_value, render, text_environment

# Surrogates can't be sent to the API server at all; the scanner limits keys to 1024 characters.
_text = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=12,
)


@given(_values)
def test_each_value_survives_rendering_to_text(value: object) -> None:
    text = text_environment().from_string("kept: {{ value }}\nafter: 1\n").render(value=value)
    assert yaml.safe_load(text) == {"kept": value, "after": 1}


@given(_values)
def test_each_value_is_unchanged_in_an_object(value: object) -> None:
    assert render("modelserve/serviceaccount.yaml.j2", meta=value)[0]["metadata"] == value


@given(name=_text, key=_text, url=_text)
def test_no_text_adds_a_field_or_an_object(name: str, key: str, url: str) -> None:
    meta = {"name": name, "labels": {key: name}}
    assert render("modelserve/secret.yaml.j2", meta=meta, data={"url": url}) == [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": meta,
            "type": "Opaque",
            "stringData": {"url": url},
        }
    ]


def test_yaml_in_a_value_stays_text() -> None:
    value = "x: y\nkind: Secret\n---\nkind: Pod"
    manifests = render("modelserve/serviceaccount.yaml.j2", meta={"name": value})
    assert [item["kind"] for item in manifests] == ["ServiceAccount"]
    assert manifests[0]["metadata"]["name"] == value


def test_a_missing_value_is_an_error_that_names_it() -> None:
    with pytest.raises(jinja2.UndefinedError, match="'meta' is undefined"):
        render("modelserve/serviceaccount.yaml.j2")


@pytest.mark.parametrize("value", [1.5, [0.1], {"a": {"b": 1e16}}])
def test_floats_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="is not text, a whole number"):
        json_value(value)


def test_objects_share_no_values() -> None:
    meta: dict[str, Any] = {"name": "a", "labels": {}}
    first, second = (render("modelserve/serviceaccount.yaml.j2", meta=meta)[0] for _ in "ab")
    first["metadata"]["labels"]["x"] = "y"
    first["extra"] = 1
    assert second["metadata"] == {"name": "a", "labels": {}} == meta
    assert render("modelserve/serviceaccount.yaml.j2", meta=meta)[0] == second


def test_the_name_of_a_slot_in_a_value_is_only_text() -> None:
    meta = {"name": "!slot 0"}
    assert render("modelserve/serviceaccount.yaml.j2", meta=meta)[0]["metadata"] == meta
