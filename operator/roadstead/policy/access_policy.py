"""Who may use a server that runs: what its contract says of callers, whatever its limits."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Final

from roadstead.api.contract import ResourceContract
from roadstead.policy.chain import Rule, Violation, evaluate
from roadstead.policy.contract_policy import Caller, allows, force_violations


@dataclasses.dataclass(frozen=True, kw_only=True)
class AccessFacts:
    """A caller at the door of a server in `namespace`, whose `spec.contract` is `contract`.

    `contract` is None where the server names none, or one that isn't there. `now` has a time zone.
    """

    caller: Caller
    namespace: str
    namespace_labels: Mapping[str, str]
    contract: ResourceContract | None
    now: datetime.datetime


def access_violation(facts: AccessFacts) -> Violation | None:
    """Why the caller may not use the server; None if he may. Never raises."""
    return evaluate(_RULES, facts)


def is_outsider(violation: Violation) -> bool:
    """Whether it is of somebody whom the contract is not for: he is not to learn of the server."""
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


def _force(facts: AccessFacts) -> Violation | None:
    found = force_violations(facts.contract, now=facts.now) if facts.contract else ()
    return next(iter(found), None)


_FIELD: Final = "spec.contract"
_OUTSIDE: Final = frozenset({"NoContract", "NamespaceNotCovered", "NotAuthorized"})
_RULES: Final[tuple[Rule[AccessFacts], ...]] = (_contract, _namespace, _caller, _force)
