"""Names that are valid for every kind of child, and unique."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.manifests import names
from tests.support.builders.resources import make_serve

_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_subdomains = st.from_regex(
    re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?){0,3}"),
    fullmatch=True,
).filter(lambda name: len(name) <= 253)


@pytest.mark.parametrize("name", ["gemma", "a", "gemma-3-270m", "a" * 52])
def test_a_name_that_fits_is_kept(name: str) -> None:
    assert names.child_name(name) == name


@given(_subdomains)
def test_every_modelserve_name_gives_a_service_name(name: str) -> None:
    serve = make_serve(name)
    for child in (names.child_name(name), names.fetch_secret_name(serve)):
        assert _DNS_1035.fullmatch(child)
        assert len(child) <= 63


@given(_subdomains)
def test_every_modelserve_name_gives_a_label(name: str) -> None:
    value = names.label_value(name)
    assert _LABEL_VALUE.fullmatch(value)
    assert len(value) <= 63


@given(_subdomains, _subdomains)
def test_different_names_have_different_results(first: str, second: str) -> None:
    assert (names.child_name(first) == names.child_name(second)) == (first == second)


def test_long_names_with_the_same_beginning_differ() -> None:
    assert names.child_name("a" * 60 + "x") != names.child_name("a" * 60 + "y")


def test_selector_has_only_the_uuid() -> None:
    serve = make_serve(uid="1-2-3")
    assert names.selector(serve) == {"model.example.com/server-uuid": "1-2-3"}
    assert names.selector_text(serve) == "model.example.com/server-uuid=1-2-3"


def test_children_are_owned_and_controlled() -> None:
    assert names.owner_reference(make_serve("gemma", "u")) == {
        "apiVersion": "model.example.com/v1alpha1",
        "kind": "ModelServe",
        "name": "gemma",
        "uid": "u",
        "controller": True,
        "blockOwnerDeletion": True,
    }
