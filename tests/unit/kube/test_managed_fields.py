"""All our fields count as applied."""

from typing import Any

from roadstead.api.raw import Raw
from roadstead.kube.managed_fields import as_applied, is_managed


def entry(operation: str, fields: dict[str, Any], manager: str = "roadstead") -> Raw:
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def thing(*entries: Raw) -> Raw:
    return {"metadata": {"managedFields": list(entries)}}


def test_created_fields_count_as_applied() -> None:
    created = entry("Update", {"f:spec": {"f:replicas": {}}})
    assert as_applied(thing(created)) == [{**created, "operation": "Apply"}]


def test_created_and_applied_fields_are_merged() -> None:
    created = entry("Update", {"f:spec": {".": {}, "f:a": {}, "f:b": {"f:c": {}}}})
    applied = entry("Apply", {"f:spec": {"f:a": {}, "f:b": {"f:d": {}}}})
    both: dict[str, Any] = {"f:spec": {".": {}, "f:a": {}, "f:b": {"f:c": {}, "f:d": {}}}}
    assert as_applied(thing(created, applied)) == [entry("Apply", both)]


def test_entries_of_other_managers_are_unchanged() -> None:
    others = [
        entry("Update", {"f:spec": {"f:replicas": {}}}, manager="kubectl"),
        {**entry("Update", {"f:status": {}}), "subresource": "status"},
    ]
    created = entry("Update", {"f:spec": {}})
    found = as_applied(thing(*others, created))
    assert found == [*others, {**created, "operation": "Apply"}]


def test_applied_entries_are_unchanged() -> None:
    assert as_applied(thing(entry("Apply", {"f:spec": {}}))) is None
    assert as_applied(thing()) is None


def test_a_status_entry_does_not_make_an_object_managed() -> None:
    status = {**entry("Update", {"f:status": {}}), "subresource": "status"}
    theirs = entry("Update", {"f:spec": {}}, manager="kubectl")
    assert not is_managed(thing(status, theirs))
    assert is_managed(thing(theirs, entry("Update", {"f:spec": {}})))
