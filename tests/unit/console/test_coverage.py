"""What a signed-in user may see and change."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.console.data.coverage import Coverage, coverage
from roadstead.policy.contract.contract_policy import Caller
from tests.unit.policy.contracts import ALICE, NOW, make_contract

EVE = Caller(subject="eve", groups=frozenset({"others"}))
LABELLED: dict[str, Any] = {"namespaces": {"selector": {"matchLabels": {"team": "a"}}}}


def own(**spec: Any) -> Coverage:
    return coverage([make_contract(**spec)], ALICE, everything=False)


def test_servers_of_own_contract_in_its_namespace_are_visible() -> None:
    assert own().covers_server("demo", "demo")


@pytest.mark.parametrize(
    ("namespace", "contract"), [("other", "demo"), ("demo", "other"), ("demo", ""), ("", "demo")]
)
def test_other_servers_are_not_visible(namespace: str, contract: str) -> None:
    assert not own().covers_server(namespace, contract)


def test_contract_for_others_shows_nothing() -> None:
    other = coverage([make_contract()], EVE, everything=False)
    assert other.contracts == ()
    assert not other.covers_server("demo", "demo")


def test_contract_with_label_selector_covers_servers_that_name_it() -> None:
    found = own(**LABELLED)
    assert found.covers_server("anywhere", "demo")
    assert found.violation("anywhere", "demo", NOW) is None


def test_administrators_see_everything_and_need_a_contract_to_change() -> None:
    found = coverage([make_contract()], EVE, everything=True)
    assert found.covers_server("demo", "demo")
    assert found.covers_server("any", "gone")
    assert found.covers_model("any")
    violation = found.violation("demo", "demo", NOW)
    assert violation is not None
    assert violation.reason == "NotAuthorized"


def test_servers_of_expired_contract_are_visible_and_cannot_be_changed() -> None:
    found = own(expiresAt="2020-01-01T00:00:00Z")
    assert found.covers_server("demo", "demo")
    violation = found.violation("demo", "demo", NOW)
    assert violation is not None
    assert violation.reason == "ContractExpired"


def test_only_models_that_a_contract_allows_are_visible() -> None:
    found = own(models=["gemma-*"])
    assert found.covers_model("gemma-3")
    assert not found.covers_model("qwen-3")


def test_namespace_is_covered_by_name_or_labels() -> None:
    assert own().namespace_violation("demo", {}) is None
    assert not own().selects_namespaces()
    labelled = own(**LABELLED)
    assert labelled.selects_namespaces()
    assert labelled.namespace_violation("any", {"team": "a"}) is None
    assert labelled.namespace_violation("demo", {"team": "b"}) is not None


def test_message_about_uncovered_namespace_names_own_contracts() -> None:
    violation = own().namespace_violation("kube-system", {})
    assert violation is not None
    assert violation.reason == "NamespaceNotCovered"
    assert "kube-system" in violation.message
    assert "demo" in violation.message


def test_seeing_everything_does_not_allow_writing() -> None:
    everything = coverage([make_contract()], EVE, everything=True)
    assert everything.namespace_violation("demo", {}) is not None
    assert not coverage([make_contract(**LABELLED)], EVE, everything=True).selects_namespaces()
