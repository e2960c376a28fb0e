"""The output of `roadstead ledger verify`."""

from typing import Any

from roadstead.ledger.comparison import differences
from roadstead.ledger.records import row
from tests.support.builders.records import LATER, UID, a_model, a_server, ready


def lines_for(desired: list[Any], stored: dict[str, Any]) -> list[str]:
    """The lines for ModelServes."""
    return list(differences(desired, stored, kind="ModelServe"))


def test_equal_rows_have_no_differences() -> None:
    assert lines_for([a_server()], {UID: row(a_server(now=LATER))}) == []


def test_missing_row_is_reported() -> None:
    assert lines_for([a_server()], {}) == [f"ModelServe demo/gemma ({UID}): is not in the ledger"]


def test_row_of_deleted_object_is_reported() -> None:
    line = f"ModelServe demo/gemma ({UID}): is in the ledger, not in the cluster"
    assert lines_for([], {UID: row(a_server())}) == [line]


def test_each_different_field_is_reported() -> None:
    stored = row(a_server(status={"conditions": [ready("False", "Loading", "")]}))
    lines = lines_for([a_server()], {UID: stored})
    serve = f"ModelServe demo/gemma ({UID})"
    assert f"{serve}: status is Ready in the cluster, Pending in the ledger" in lines
    assert f"{serve}: status_reason is Ready in the cluster, Loading in the ledger" in lines


def test_equal_times_in_different_formats_are_equal() -> None:
    stored = {**row(a_server()), "created_at": "2026-01-01T01:00:00+01:00"}
    assert lines_for([a_server()], {UID: stored}) == []


def test_model_is_reported_by_name() -> None:
    assert list(differences([a_model()], {}, kind="Model")) == [
        f"Model gemma-3-270m ({UID}): is not in the ledger"
    ]
