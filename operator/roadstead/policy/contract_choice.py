"""Which of several contracts a server runs under."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from roadstead.api.contract import ResourceContract
from roadstead.api.demand import NO_DEMAND, Demand
from roadstead.policy.chain import Violation
from roadstead.policy.contract_policy import (
    ContractFacts,
    asks_for,
    covers,
    model_names,
    violations,
)

_SHOWN = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Offer:
    """A contract, what all other servers take of it, and what this server takes of it already."""

    contract: ResourceContract
    others: Demand = NO_DEMAND
    own: Demand = NO_DEMAND


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """The contract that counts, if there is one, and what it doesn't allow."""

    contract: ResourceContract | None
    violations: tuple[Violation, ...]


def choose(offers: Iterable[Offer], facts: ContractFacts) -> Choice:
    """`spec.contract` where it is given, else the first contract by name that allows all of it.

    Where none does, it is the first that covers caller, namespace and model, those in force before
    others. `contract`, `others` and `own` of the facts are taken from the offers. Contracts of
    other namespaces are never named: one of those, given in `spec.contract`, is as unknown as one
    that isn't there. Never raises.
    """
    here = sorted(
        (offer for offer in offers if _is_for_namespace(offer.contract, facts)),
        key=lambda offer: offer.contract.meta.name,
    )
    if facts.serve.contract:
        return _named(here, facts)
    tried = [_tried(offer, facts) for offer in here if _covers(offer.contract, facts)]
    if not tried:
        return Choice(contract=None, violations=(_no_contract(here, facts),))
    passed = (choice for choice in tried if not choice.violations)
    in_force = (choice for choice in tried if _in_force(choice.contract, facts))
    return next(passed, None) or next(in_force, tried[0])


def _named(here: Sequence[Offer], facts: ContractFacts) -> Choice:
    for offer in here:
        if offer.contract.meta.name == facts.serve.contract:
            return _tried(offer, facts)
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


def _tried(offer: Offer, facts: ContractFacts) -> Choice:
    held = dataclasses.replace(facts, contract=offer.contract, others=offer.others, own=offer.own)
    return Choice(contract=offer.contract, violations=violations(held))


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
        message=f"no contract lets {caller} run model {model} in namespace "
        f"{facts.serve.meta.namespace}; {_listed(here)}",
        field="spec.contract",
    )


def _listed(here: Sequence[Offer]) -> str:
    """The contracts of the namespace and what they ask for, never those of another."""
    if not here:
        return "no contract covers the namespace, so an administrator has to make one"
    more = f" and {len(here) - _SHOWN} more" if len(here) > _SHOWN else ""
    shown = ", ".join(_described(offer.contract) for offer in here[:_SHOWN])
    return f"the namespace has {shown}{more}"


def _described(contract: ResourceContract) -> str:
    globs = " or ".join(contract.models[:_SHOWN])
    more = f" or {len(contract.models) - _SHOWN} more" if len(contract.models) > _SHOWN else ""
    return (
        f"contract {contract.meta.name} for {asks_for(contract.authorization)} "
        f"with models {globs or 'none'}{more}"
    )
