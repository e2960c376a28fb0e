"""Size limits of the columns."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from typing import Any

import pytest

from roadstead.ledger.bounds import MAX_JSON, MAX_TEXT, MAX_TEXTS, bounded
from roadstead.ledger.records import Record, row
from roadstead.ledger.tables import TABLES

LONG = "x\x00" * 2**20


def full(record: type[Record]) -> Any:
    """A record with megabytes in every column of variable size."""
    hints = typing.get_type_hints(record)
    return record(**{field.name: _much(hints[field.name]) for field in dataclasses.fields(record)})


def _much(kind: Any) -> Any:
    if kind in (str, str | None):
        return LONG
    if typing.get_origin(kind) is tuple:
        return (LONG,) * 3
    if typing.get_origin(kind) is Mapping:
        return {LONG: [LONG], "y": {"z": LONG}}
    return 1


@pytest.mark.parametrize("record", TABLES, ids=lambda record: record.__name__)
def test_every_column_has_a_limit(record: type[Record]) -> None:
    for column, value in row(full(record)).items():
        if isinstance(value, str):
            assert len(value) <= MAX_TEXTS.get(column, MAX_TEXT)
        else:
            assert len(json.dumps(value, ensure_ascii=False)) < 2 * MAX_JSON
        assert "\x00" not in json.dumps(value, ensure_ascii=False)


def test_value_within_limit_is_unchanged() -> None:
    for value in ("a" * MAX_TEXT, {"a": ["b", {"c": 1}]}, [{"type": "Ready"}], 3, None, True):
        assert bounded("message", value) == value


def test_cut_text_ends_with_ellipsis() -> None:
    assert bounded("namespace", "a" * 64) == "a" * 62 + "…"


def test_many_small_values_are_limited() -> None:
    assert len(bounded("spec", [1] * 300_000)) < MAX_JSON / 4
    assert len(bounded("spec", {str(number): [] for number in range(300_000)})) < MAX_JSON / 4
