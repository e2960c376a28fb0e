"""What `roadstead ledger verify` says."""

from typing import Any

from roadstead.ledger.comparison import differences
from roadstead.ledger.records import row
from tests.support.builders.records import LATER, UID, a_model, a_server, ready


def said(desired: list[Any], stored: dict[str, Any]) -> list[str]:
    """The lines for ModelServes."""
    return list(differences(desired, stored, kind="ModelServe"))


def test_equal_rows_say_nothing() -> None:
    assert said([a_server()], {UID: row(a_server(now=LATER))}) == []


def test_missing_row_is_named() -> None:
    assert said([a_server()], {}) == [f"ModelServe demo/gemma ({UID}): is not in the ledger"]


def test_row_of_an_object_that_is_gone_is_named() -> None:
    line = f"ModelServe demo/gemma ({UID}): is in the ledger, not in the cluster"
    assert said([], {UID: row(a_server())}) == [line]


def test_each_field_that_differs_is_named() -> None:
    stored = row(a_server(status={"conditions": [ready("False", "Loading", "")]}))
    lines = said([a_server()], {UID: stored})
    serve = f"ModelServe demo/gemma ({UID})"
    assert f"{serve}: status is Ready in the cluster, Pending in the ledger" in lines
    assert f"{serve}: status_reason is Ready in the cluster, Loading in the ledger" in lines


def test_one_time_written_in_two_ways_is_the_same() -> None:
    stored = {**row(a_server()), "created_at": "2026-01-01T01:00:00+01:00"}
    assert said([a_server()], {UID: stored}) == []


def test_model_goes_by_its_name() -> None:
    assert list(differences([a_model()], {}, kind="Model")) == [
        f"Model gemma-3-270m ({UID}): is not in the ledger"
    ]
