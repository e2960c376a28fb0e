"""Who may call a running server."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from roadstead.policy.contract.access_policy import AccessFacts, access_violation, is_outsider
from tests.unit.policy.contracts import ALICE, NOW, make_contract

FACTS = AccessFacts(
    caller=ALICE, namespace="demo", namespace_labels={}, contract=make_contract(), now=NOW
)


def reason(**changes: Any) -> str:
    """Why the caller may not use the server; empty if they may."""
    found = access_violation(dataclasses.replace(FACTS, **changes))
    return found.reason if found else ""


def test_caller_that_the_contract_covers_is_allowed() -> None:
    assert reason() == ""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"contract": None}, "NoContract"),
        ({"namespace": "other"}, "NamespaceNotCovered"),
        ({"contract": make_contract(authorization={"groups": ["x"]})}, "NotAuthorized"),
        ({"contract": make_contract(authorization={})}, "NotAuthorized"),
        ({"contract": make_contract(expiresAt="2020-01-01T00:00:00Z")}, "ContractExpired"),
        ({"contract": make_contract(meta={"deletionTimestamp": "x"})}, "ContractDeleting"),
        ({"contract": make_contract(total={"cpu": "junk"})}, "ContractInvalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_callers_are_denied(changes: dict[str, Any], expected: str) -> None:
    assert reason(**changes) == expected


def test_limits_and_models_do_not_restrict_callers_of_a_running_server() -> None:
    assert reason(contract=make_contract(models=["other-*"], total={"servers": 0})) == ""


def test_outsider_does_not_learn_that_the_contract_expired() -> None:
    expired = make_contract(expiresAt="2020-01-01T00:00:00Z", authorization={"groups": ["x"]})
    found = access_violation(dataclasses.replace(FACTS, contract=expired))
    assert found is not None
    assert is_outsider(found)
