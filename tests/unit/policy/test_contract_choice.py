"""Which of several contracts applies."""

from __future__ import annotations

from typing import Any

from roadstead.api.contract.demand import Demand
from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.policy.contract.contract_choice import Choice, Offer, choose
from roadstead.policy.contract.contract_policy import Caller
from tests.unit.policy.contracts import make_contract, make_demanding, make_facts

_SMALL = {"memory": "1Gi"}


def chosen(*contracts: ResourceContract, contract: str = "", **changes: Any) -> Choice:
    serve = make_demanding(contract=contract)
    offers = [Offer(contract=each) for each in contracts]
    return choose(offers, make_facts(serve=serve, **changes))


def name(choice: Choice) -> str:
    return choice.contract.meta.name if choice.contract else ""


def test_first_contract_by_name_that_allows_the_server_is_chosen() -> None:
    contracts = (make_contract("c"), make_contract("b"), make_contract("a", total=_SMALL))
    choice = chosen(*contracts)
    assert (name(choice), choice.violations) == ("b", ())


def test_first_contract_by_name_is_reported_if_none_allows_the_server() -> None:
    choice = chosen(make_contract("b", total=_SMALL), make_contract("a", perServer=_SMALL))
    assert name(choice) == "a"
    assert [each.reason for each in choice.violations] == ["OverServerLimit"]


def test_contract_in_force_is_reported_before_an_expired_one() -> None:
    expired = make_contract("a", expiresAt="2020-01-01T00:00:00Z")
    choice = chosen(expired, make_contract("b", total=_SMALL))
    assert [each.reason for each in choice.violations] == ["OverTotal"]
    assert [each.reason for each in chosen(expired).violations] == ["ContractExpired"]


def test_contract_for_other_callers_is_skipped() -> None:
    choice = chosen(
        make_contract("a", authorization={"groups": ["others"]}),
        make_contract("b", namespaces={"names": ["others"]}),
        make_contract("c", models=["others"]),
        make_contract("d", total=_SMALL),
    )
    assert name(choice) == "d"


def test_contract_named_in_the_spec_is_used() -> None:
    contracts = (make_contract("a"), make_contract("b", total=_SMALL))
    choice = chosen(*contracts, contract="b")
    assert name(choice) == "b"
    assert [each.reason for each in choice.violations] == ["OverTotal"]


def test_named_contract_denies_other_callers() -> None:
    choice = chosen(make_contract("a"), contract="a", caller=Caller(subject="bob"))
    assert [each.reason for each in choice.violations] == ["NotAuthorized"]


def test_contract_of_another_namespace_is_not_found() -> None:
    other = make_contract("a", namespaces={"names": ["other"]})
    assert chosen(other, contract="a") == chosen(contract="a")
    (violation,) = chosen(contract="a").violations
    assert (violation.reason, violation.field) == ("ContractNotFound", "spec.contract")


def test_namespace_without_a_contract_needs_an_administrator() -> None:
    (violation,) = chosen(make_contract(namespaces={"names": ["other"]})).violations
    assert (violation.reason, violation.field) == ("NoContract", "spec.contract")
    assert violation.message == (
        "no contract allows alice to run model gemma-3-270m in namespace demo; "
        "no contract covers the namespace: ask an administrator to create one"
    )


def test_contracts_of_the_namespace_are_listed_with_their_requirements() -> None:
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


def test_long_list_is_shortened() -> None:
    contracts = [make_contract(f"c{number}", models=["other"]) for number in range(8)]
    assert chosen(*contracts).violations[0].message.endswith(" and 3 more")


def test_each_contract_is_checked_with_its_own_use() -> None:
    total = {"memory": "16Gi"}
    taken = Demand(servers=1, replicas=1, memory_bytes=12 * 2**30)
    offers = [
        Offer(contract=make_contract("a", total=total), others=taken),
        Offer(contract=make_contract("b", total=total)),
    ]
    assert name(choose(offers, make_facts())) == "b"


def test_namespace_is_covered_by_its_labels() -> None:
    contract = make_contract(namespaces={"selector": {"matchLabels": {"team": "a"}}})
    assert name(chosen(contract, namespace_labels={"team": "a"})) == "demo"
    assert name(chosen(contract, namespace_labels={"team": "b"})) == ""
