"""The digest changes only with the fields that count."""

from __future__ import annotations

from typing import Any

from roadstead.manifests.digest import digest_of, with_digest


def _object(**changes: Any) -> dict[str, Any]:
    return {"kind": "Thing", "metadata": {"name": "a", "annotations": {"x": "y"}}, **changes}


def test_a_changed_field_changes_the_digest() -> None:
    assert digest_of(with_digest(_object(spec=1))) != digest_of(with_digest(_object(spec=2)))


def test_the_order_of_fields_does_not_count() -> None:
    turned = dict(reversed(_object(spec=1).items()))
    assert digest_of(with_digest(turned)) == digest_of(with_digest(_object(spec=1)))


def test_adding_the_digest_twice_changes_nothing() -> None:
    once = with_digest(_object(spec=1))
    assert with_digest(once) == once


def test_excluded_field_does_not_count() -> None:
    first, second = (with_digest(_object(data=n), without=("data",)) for n in (1, 2))
    assert digest_of(first) == digest_of(second)
    assert (first["data"], second["data"]) == (1, 2)


def test_other_annotations_stay() -> None:
    assert with_digest(_object())["metadata"]["annotations"]["x"] == "y"


def test_an_object_without_annotations_has_no_digest() -> None:
    assert digest_of({"metadata": {"name": "a"}}) == ""
