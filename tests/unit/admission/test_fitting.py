"""Inconsistent reviews are denied and not recorded."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from roadstead_webhooks.admission.mutating import mutate
from roadstead_webhooks.admission.review import AdmissionRequest, BadReview, parse
from roadstead_webhooks.admission.validating import validate
from tests.support.builders.reviews import RULES, Raw, facts, request, review, thing

MARK = "EXPIRED: renew your token at https://evil.example/renew"
SCALED = {**thing(spec={"replicas": 2}), "apiVersion": "autoscaling/v1", "kind": "Scale"}
GOOD = {
    "create": review("CREATE", thing()),
    "generate": review("CREATE", thing(name="", generateName="one-")),
    "update": review("UPDATE", thing(), thing()),
    "scale": review("UPDATE", SCALED, SCALED, subResource="scale"),
    "contract": review("CREATE", thing("ResourceContract"), kind="ResourceContract"),
    "delete": review("DELETE", None, thing("Model"), kind="Model"),
}
IDENTITY = ("apiVersion", "kind")
PLACE = ("namespace", "name")


def fields(whole: Raw) -> Iterator[tuple[str, ...]]:
    """Paths of the fields that identify the object of a review."""
    for part in ("resource", "kind"):
        yield from ((part, name) for name in whole["request"][part])
    yield from ((name,) for name in ("operation", "subResource", *PLACE))
    for part in ("object", "oldObject"):
        yield from ((part, name) for name in IDENTITY)
        yield from ((part, "metadata", name) for name in PLACE)


def changed(whole: Raw, path: tuple[str, ...], value: Any) -> Raw:
    """Return the review with another value at the path."""
    copy: Raw = json.loads(json.dumps(whole))
    inner = copy["request"]
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return copy


def original(whole: Raw, path: tuple[str, ...]) -> Any:
    """Return the value at the path; empty without one."""
    inner = whole["request"]
    for name in path[:-1]:
        inner = inner[name]
    return inner.get(path[-1], "")


def parsed(whole: Raw) -> AdmissionRequest:
    return parse(json.dumps(whole).encode())


CASES = [
    pytest.param(whole, path, id=f"{name}-{'.'.join(path)}")
    for name, whole in GOOD.items()
    for path in fields(whole)
    if len(path) == 1 or whole["request"][path[0]]
]


@pytest.mark.parametrize("whole", GOOD.values(), ids=GOOD)
def test_requests_of_the_api_server_are_consistent(whole: Raw) -> None:
    assert parsed(whole).fits, parsed(whole).mismatch


@pytest.mark.parametrize("value", ["other", "", MARK])
@pytest.mark.parametrize(("whole", "path"), CASES)
def test_review_with_any_changed_field_is_inconsistent(
    whole: Raw, path: tuple[str, ...], value: str
) -> None:
    if value == original(whole, path):
        return
    with contextlib.suppress(BadReview):
        asked = parsed(changed(whole, path, value))
        assert not asked.fits
        assert MARK not in asked.mismatch
        for answer in (validate(asked, facts(), RULES).answer, _mutated(asked)):
            assert answer is None or MARK not in answer.message


def _mutated(asked: AdmissionRequest) -> Any:
    return mutate(asked, facts(), RULES).denial


@pytest.mark.parametrize(
    ("operation", "new", "old"),
    [
        ("CREATE", thing(), thing()),
        ("DELETE", thing("Model"), thing("Model")),
        ("DELETE", None, None),
        ("DELETE", None, thing()),
        ("UPDATE", thing(namespace="a"), thing(namespace="b")),
    ],
    ids=["create with old", "delete with new", "delete of nothing", "delete of a server", "moved"],
)
def test_objects_that_do_not_match_the_operation_are_inconsistent(
    operation: str, new: Raw | None, old: Raw | None
) -> None:
    kind = str((new or old or thing("Model"))["kind"])
    assert not request(operation, new, old, kind=kind).fits


def test_review_without_a_user_is_inconsistent() -> None:
    assert not request("CREATE", thing(), userInfo=None).fits
    assert not request("CREATE", thing(), userInfo={"username": ""}).fits


def test_deletion_of_a_server_is_allowed() -> None:
    assert validate(request("DELETE", None, thing()), facts(), RULES).answer.allowed
