"""Quantities, parsed as in Kubernetes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.quantity import mebibytes, parse_quantity
from roadstead.errors import InvalidResource


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", "1"), (2, "2"), ("500m", "0.5"), ("1.5Gi", "1610612736"), ("128Mi", "134217728"),
        ("1k", "1000"), ("1M", "1000000"), ("2e3", "2000"), ("1E3", "1000"), ("1E", "1e18"),
        ("5e-1", "0.5"), ("100n", "1e-7"), ("-1", "-1"), (".5", "0.5"), ("1.", "1"),
    ],
)  # fmt: skip
def test_a_quantity_is_a_number(text: str | int, number: str) -> None:
    assert parse_quantity(text, field="spec.x") == Decimal(number)


@pytest.mark.parametrize(
    "text", ["", "Gi", "1 Gi", "1gi", "1KiB", "0x10", "1e", "1e999", "nan", "1\n", "٣", "1" * 40]
)
def test_invalid_quantity_is_refused(text: str) -> None:
    expected = r"spec\.x: invalid quantity .*: expected a value such as 500m or 2Gi"
    with pytest.raises(InvalidResource, match=expected):
        parse_quantity(text, field="spec.x")


@given(st.text(max_size=30))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    try:
        assert parse_quantity(text, field="f").is_finite()
    except InvalidResource as error:
        assert error.field == "f"  # noqa: PT017 both outcomes are right


@given(st.integers(0, 2**50))
def test_mebibytes_are_rounded_up(size: int) -> None:
    rounded = parse_quantity(mebibytes(size), field="f")
    assert size <= rounded < size + 2**20
