"""What we set counts as applied, whichever way it was set."""

from typing import Any

from roadstead.api.raw import Raw
from roadstead.kube.managed_fields import as_applied, is_managed


def entry(operation: str, fields: dict[str, Any], manager: str = "roadstead") -> Raw:
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def thing(*entries: Raw) -> Raw:
    return {"metadata": {"managedFields": list(entries)}}


def test_what_was_created_counts_as_applied() -> None:
    created = entry("Update", {"f:spec": {"f:replicas": {}}})
    assert as_applied(thing(created)) == [{**created, "operation": "Apply"}]


def test_what_was_created_and_what_was_applied_are_one() -> None:
    created = entry("Update", {"f:spec": {".": {}, "f:a": {}, "f:b": {"f:c": {}}}})
    applied = entry("Apply", {"f:spec": {"f:a": {}, "f:b": {"f:d": {}}}})
    both: dict[str, Any] = {"f:spec": {".": {}, "f:a": {}, "f:b": {"f:c": {}, "f:d": {}}}}
    assert as_applied(thing(created, applied)) == [entry("Apply", both)]


def test_what_others_set_stays_theirs() -> None:
    others = [
        entry("Update", {"f:spec": {"f:replicas": {}}}, manager="kubectl"),
        {**entry("Update", {"f:status": {}}), "subresource": "status"},
    ]
    created = entry("Update", {"f:spec": {}})
    found = as_applied(thing(*others, created))
    assert found == [*others, {**created, "operation": "Apply"}]


def test_what_was_applied_alone_is_left_as_it_is() -> None:
    assert as_applied(thing(entry("Apply", {"f:spec": {}}))) is None
    assert as_applied(thing()) is None


def test_a_status_that_we_wrote_makes_no_object_ours() -> None:
    status = {**entry("Update", {"f:status": {}}), "subresource": "status"}
    theirs = entry("Update", {"f:spec": {}}, manager="kubectl")
    assert not is_managed(thing(status, theirs))
    assert is_managed(thing(theirs, entry("Update", {"f:spec": {}})))
