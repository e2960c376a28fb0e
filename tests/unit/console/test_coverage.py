"""What a signed-in person may see and change."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.console.coverage import Coverage, coverage
from roadstead.policy.contract_policy import Caller
from tests.unit.policy.contracts import ALICE, NOW, make_contract

EVE = Caller(subject="eve", groups=frozenset({"others"}))
LABELLED: dict[str, Any] = {"namespaces": {"selector": {"matchLabels": {"team": "a"}}}}


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


def test_a_namespace_is_covered_by_name_or_by_its_labels() -> None:
    assert own().namespace_violation("demo", {}) is None
    assert not own().selects_namespaces()
    labelled = own(**LABELLED)
    assert labelled.selects_namespaces()
    assert labelled.namespace_violation("any", {"team": "a"}) is None
    assert labelled.namespace_violation("demo", {"team": "b"}) is not None


def test_no_other_namespace_is_and_the_message_names_ones_own_contracts() -> None:
    violation = own().namespace_violation("kube-system", {})
    assert violation is not None
    assert violation.reason == "NamespaceNotCovered"
    assert "kube-system" in violation.message
    assert "demo" in violation.message


def test_who_sees_everything_may_not_therefore_write_anywhere() -> None:
    everything = coverage([make_contract()], EVE, everything=True)
    assert everything.namespace_violation("demo", {}) is not None
    assert not coverage([make_contract(**LABELLED)], EVE, everything=True).selects_namespaces()
