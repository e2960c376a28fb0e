"""Who may call a running server: its contract's rules for callers, apart from limits."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Final

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.policy.chain import Rule, Violation, evaluate
from roadstead.policy.contract.contract_policy import Caller, allows, validity_violations


@dataclasses.dataclass(frozen=True, kw_only=True)
class AccessFacts:
    """A caller of a server in `namespace`, whose `spec.contract` is `contract`.

    `contract` is None if the server names none, or one that doesn't exist. `now` has a time zone.
    """

    caller: Caller
    namespace: str
    namespace_labels: Mapping[str, str]
    contract: ResourceContract | None
    now: datetime.datetime


def access_violation(facts: AccessFacts) -> Violation | None:
    """Why the caller may not use the server; None if they may. Never raises."""
    return evaluate(_RULES, facts)


def is_outsider(violation: Violation) -> bool:
    """Whether the contract doesn't cover the caller, so that they must not learn of the server."""
    return violation.reason in _OUTSIDE


def _contract(facts: AccessFacts) -> Violation | None:
    if facts.contract is not None:
        return None
    return Violation(reason="NoContract", message="the server has no contract", field=_FIELD)


def _namespace(facts: AccessFacts) -> Violation | None:
    contract, namespace = facts.contract, facts.namespace
    if contract and contract.namespaces.covers(namespace, facts.namespace_labels):
        return None
    message = f"the contract doesn't cover namespace {namespace}"
    return Violation(reason="NamespaceNotCovered", message=message, field=_FIELD)


def _caller(facts: AccessFacts) -> Violation | None:
    if facts.contract and allows(facts.contract, facts.caller):
        return None
    message = f"the contract is not for {facts.caller.subject}"
    return Violation(reason="NotAuthorized", message=message, field=_FIELD)


def _validity(facts: AccessFacts) -> Violation | None:
    found = validity_violations(facts.contract, now=facts.now) if facts.contract else ()
    return next(iter(found), None)


_FIELD: Final = "spec.contract"
_OUTSIDE: Final = frozenset({"NoContract", "NamespaceNotCovered", "NotAuthorized"})
_RULES: Final[tuple[Rule[AccessFacts], ...]] = (_contract, _namespace, _caller, _validity)
