"""Which of several contracts counts."""

from __future__ import annotations

from typing import Any

from roadstead.api.contract import ResourceContract
from roadstead.api.demand import Demand
from roadstead.policy.contract_choice import Choice, Offer, choose
from roadstead.policy.contract_policy import Caller
from tests.unit.policy.contracts import make_contract, make_demanding, make_facts

_SMALL = {"memory": "1Gi"}


def chosen(*contracts: ResourceContract, contract: str = "", **changes: Any) -> Choice:
    serve = make_demanding(contract=contract)
    offers = [Offer(contract=each) for each in contracts]
    return choose(offers, make_facts(serve=serve, **changes))


def name(choice: Choice) -> str:
    return choice.contract.meta.name if choice.contract else ""


def test_the_first_by_name_that_allows_all_of_it_counts() -> None:
    contracts = (make_contract("c"), make_contract("b"), make_contract("a", total=_SMALL))
    choice = chosen(*contracts)
    assert (name(choice), choice.violations) == ("b", ())


def test_where_none_allows_it_the_first_by_name_says_why() -> None:
    choice = chosen(make_contract("b", total=_SMALL), make_contract("a", perServer=_SMALL))
    assert name(choice) == "a"
    assert [each.reason for each in choice.violations] == ["OverServerLimit"]


def test_a_contract_in_force_says_why_before_one_that_ended() -> None:
    ended = make_contract("a", expiresAt="2020-01-01T00:00:00Z")
    choice = chosen(ended, make_contract("b", total=_SMALL))
    assert [each.reason for each in choice.violations] == ["OverTotal"]
    assert [each.reason for each in chosen(ended).violations] == ["ContractExpired"]


def test_a_contract_that_is_for_others_is_passed_over() -> None:
    choice = chosen(
        make_contract("a", authorization={"groups": ["others"]}),
        make_contract("b", namespaces={"names": ["others"]}),
        make_contract("c", models=["others"]),
        make_contract("d", total=_SMALL),
    )
    assert name(choice) == "d"


def test_the_contract_that_the_spec_names_counts() -> None:
    contracts = (make_contract("a"), make_contract("b", total=_SMALL))
    choice = chosen(*contracts, contract="b")
    assert name(choice) == "b"
    assert [each.reason for each in choice.violations] == ["OverTotal"]


def test_a_named_contract_is_for_its_callers_alone() -> None:
    choice = chosen(make_contract("a"), contract="a", caller=Caller(subject="bob"))
    assert [each.reason for each in choice.violations] == ["NotAuthorized"]


def test_a_contract_of_another_namespace_is_as_unknown_as_none() -> None:
    other = make_contract("a", namespaces={"names": ["other"]})
    assert chosen(other, contract="a") == chosen(contract="a")
    (violation,) = chosen(contract="a").violations
    assert (violation.reason, violation.field) == ("ContractNotFound", "spec.contract")


def test_without_any_contract_an_administrator_has_to_make_one() -> None:
    (violation,) = chosen(make_contract(namespaces={"names": ["other"]})).violations
    assert (violation.reason, violation.field) == ("NoContract", "spec.contract")
    assert violation.message == (
        "no contract allows alice to run model gemma-3-270m in namespace demo; "
        "no contract covers the namespace: ask an administrator to create one"
    )


def test_the_contracts_of_the_namespace_are_told_with_what_they_ask_for() -> None:
    choice = chosen(
        make_contract("b", authorization={"groups": ["x", "y"], "scopes": ["s"]}),
        make_contract("a", models=["llama-*", "qwen"]),
        make_contract("secret", namespaces={"names": ["other"]}, authorization={"groups": ["z"]}),
    )
    assert choice.contract is None
    assert choice.violations[0].message == (
        "no contract allows alice to run model gemma-3-270m in namespace demo; the namespace has "
        "contract a for group demo-users with models llama-* or qwen, "
        "contract b for group x, y and scope s with models *"
    )


def test_a_long_list_is_cut_short() -> None:
    contracts = [make_contract(f"c{number}", models=["other"]) for number in range(8)]
    assert chosen(*contracts).violations[0].message.endswith(" and 3 more")


def test_each_contract_is_held_to_what_is_taken_of_it() -> None:
    total = {"memory": "16Gi"}
    taken = Demand(servers=1, replicas=1, memory_bytes=12 * 2**30)
    offers = [
        Offer(contract=make_contract("a", total=total), others=taken),
        Offer(contract=make_contract("b", total=total)),
    ]
    assert name(choose(offers, make_facts())) == "b"


def test_a_namespace_is_known_by_its_labels_too() -> None:
    contract = make_contract(namespaces={"selector": {"matchLabels": {"team": "a"}}})
    assert name(chosen(contract, namespace_labels={"team": "a"})) == "demo"
    assert name(chosen(contract, namespace_labels={"team": "b"})) == ""
