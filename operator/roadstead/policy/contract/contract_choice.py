"""Which of several contracts applies to a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from roadstead.api.contract.demand import NO_DEMAND, Demand
from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.policy.chain import Violation
from roadstead.policy.contract.contract_policy import (
    ContractFacts,
    covers,
    describe_authorization,
    model_names,
    violations,
)

_SHOWN = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Offer:
    """A contract, what all other servers use of it, and what this server uses of it already."""

    contract: ResourceContract
    others: Demand = NO_DEMAND
    own: Demand = NO_DEMAND


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """The contract that applies, if any, and what it doesn't allow."""

    contract: ResourceContract | None
    violations: tuple[Violation, ...]


def choose(offers: Iterable[Offer], facts: ContractFacts) -> Choice:
    """`spec.contract` if it is set, else the first contract by name that allows the server.

    If none does, it is the first that covers caller, namespace and model; contracts in force
    precede others. `contract`, `others` and `own` of the facts are replaced by those of the offers.
    Contracts of other namespaces are never named: such a `spec.contract` is reported as not found.
    Never raises.
    """
    here = sorted(
        (offer for offer in offers if _is_for_namespace(offer.contract, facts)),
        key=lambda offer: offer.contract.meta.name,
    )
    if facts.serve.contract:
        return _named(here, facts)
    evaluated = [_evaluate(offer, facts) for offer in here if _covers(offer.contract, facts)]
    if not evaluated:
        return Choice(contract=None, violations=(_no_contract(here, facts),))
    allowing = (choice for choice in evaluated if not choice.violations)
    in_force = (choice for choice in evaluated if _in_force(choice.contract, facts))
    return next(allowing, None) or next(in_force, evaluated[0])


def _named(here: Sequence[Offer], facts: ContractFacts) -> Choice:
    for offer in here:
        if offer.contract.meta.name == facts.serve.contract:
            return _evaluate(offer, facts)
    return Choice(
        contract=None,
        violations=(
            Violation(
                reason="ContractNotFound",
                message=f"no contract {facts.serve.contract} covers namespace "
                f"{facts.serve.meta.namespace}; {_listed(here)}",
                field="spec.contract",
            ),
        ),
    )


def _evaluate(offer: Offer, facts: ContractFacts) -> Choice:
    facts = dataclasses.replace(facts, contract=offer.contract, others=offer.others, own=offer.own)
    return Choice(contract=offer.contract, violations=violations(facts))


def _is_for_namespace(contract: ResourceContract, facts: ContractFacts) -> bool:
    return contract.namespaces.covers(facts.serve.meta.namespace, facts.namespace_labels)


def _covers(contract: ResourceContract, facts: ContractFacts) -> bool:
    namespace = facts.serve.meta.namespace
    names = model_names(facts)
    return bool(names) and all(
        covers(contract, namespace, facts.namespace_labels, facts.caller, name) for name in names
    )


def _in_force(contract: ResourceContract | None, facts: ContractFacts) -> bool:
    return contract is not None and contract.in_force(facts.now)


def _no_contract(here: Sequence[Offer], facts: ContractFacts) -> Violation:
    model = " and ".join(model_names(facts)) or f"the UUID {facts.serve.model_uuid or 'given'}"
    caller = facts.caller.subject or "nobody"
    return Violation(
        reason="NoContract",
        message=f"no contract allows {caller} to run model {model} in namespace "
        f"{facts.serve.meta.namespace}; {_listed(here)}",
        field="spec.contract",
    )


def _listed(here: Sequence[Offer]) -> str:
    """The contracts of the namespace and what they require, never those of other namespaces."""
    if not here:
        return "no contract covers the namespace: ask an administrator to create one"
    more = f" and {len(here) - _SHOWN} more" if len(here) > _SHOWN else ""
    shown = ", ".join(_described(offer.contract) for offer in here[:_SHOWN])
    return f"the namespace has {shown}{more}"


def _described(contract: ResourceContract) -> str:
    globs = " or ".join(contract.models[:_SHOWN])
    more = f" or {len(contract.models) - _SHOWN} more" if len(contract.models) > _SHOWN else ""
    return (
        f"contract {contract.meta.name} for {describe_authorization(contract.authorization)} "
        f"with models {globs or 'none'}{more}"
    )
