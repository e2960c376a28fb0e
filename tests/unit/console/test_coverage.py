"""What a signed-in person may see and change."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.console.coverage import Coverage, coverage
from roadstead.policy.contract import Caller
from tests.unit.policy.contracts import ALICE, NOW, make_contract

EVE = Caller(subject="eve", groups=frozenset({"others"}))
LABELLED = {"namespaces": {"selector": {"matchLabels": {"team": "a"}}}}


def own(**spec: Any) -> Coverage:
    return coverage([make_contract(**spec)], ALICE, everything=False)


def test_servers_of_ones_contract_in_its_namespace_are_seen() -> None:
    assert own().place("demo", "demo")


@pytest.mark.parametrize(
    ("namespace", "contract"), [("other", "demo"), ("demo", "other"), ("demo", ""), ("", "demo")]
)
def test_others_are_not(namespace: str, contract: str) -> None:
    assert not own().place(namespace, contract)


def test_contract_of_others_shows_nothing() -> None:
    theirs = coverage([make_contract()], EVE, everything=False)
    assert theirs.contracts == ()
    assert not theirs.place("demo", "demo")


def test_contract_that_selects_by_labels_covers_where_it_is_named() -> None:
    found = own(**LABELLED)
    assert found.place("anywhere", "demo")
    assert found.violation("anywhere", "demo", NOW) is None


def test_administrators_see_everything_and_change_only_what_is_theirs() -> None:
    found = coverage([make_contract()], EVE, everything=True)
    assert found.place("demo", "demo")
    assert found.place("any", "gone")
    assert found.model("any")
    violation = found.violation("demo", "demo", NOW)
    assert violation is not None
    assert violation.reason == "NotAuthorized"


def test_contract_that_ended_still_shows_its_servers_and_lets_nobody_change_them() -> None:
    found = own(expiresAt="2020-01-01T00:00:00Z")
    assert found.place("demo", "demo")
    violation = found.violation("demo", "demo", NOW)
    assert violation is not None
    assert violation.reason == "ContractExpired"


def test_models_are_those_that_a_contract_lets_be_served() -> None:
    found = own(models=["gemma-*"])
    assert found.model("gemma-3")
    assert not found.model("qwen-3")
