"""What the reconciler may do with a ModelServe: receipt and contract are checked once more.

The webhooks have let the object through, or were down, or were gone around, or the contract has
changed since. Here nothing starts or grows that is not covered now.
"""

from __future__ import annotations

import dataclasses
import enum

from roadstead.api.demand import Demand
from roadstead.policy.chain import Violation
from roadstead.policy.contract_policy import ContractFacts, explain, violations


class Effect(enum.Enum):
    """What is done with the server's objects."""

    APPLY = "apply"
    """All that the spec asks for."""
    CAP = "cap"
    """What the spec asks for, with no more replicas than were granted."""
    FREEZE = "freeze"
    """Nothing is made or changed; what runs goes on, with no more replicas than were granted."""
    DRAIN = "drain"
    """Scaled to zero."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecheckFacts:
    """A ModelServe as it is to be run.

    `refused` says what is wrong with the receipt; then nobody knows who asked, and `contract` is
    None. `granted` is what was last granted, as the status has it; None if nothing ever was.
    `runs` says whether it has a Deployment of ours, whatever that asks for.
    """

    contract: ContractFacts | None
    refused: Violation | None = None
    granted: Demand | None = None
    runs: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecheckVerdict:
    """`accepted` is None where it can't be told yet; `subject` is who asked, if that is known."""

    accepted: bool | None
    reason: str
    message: str
    effect: Effect
    replicas: int = 0
    """How many may run, for APPLY, CAP and DRAIN."""
    subject: str = ""


def judge(facts: RecheckFacts) -> RecheckVerdict:
    """The verdict; never raises.

    A receipt that does not hold freezes: its spec is not what was admitted, so it can be neither
    applied nor held against a contract. A contract that does not cover the server any more drains
    it where it says so, and else keeps it from growing.
    """
    if facts.contract is None:
        return _refused(facts.refused)
    asked, contract = facts.contract, facts.contract.contract
    found = violations(asked)
    if not found:
        name = contract.meta.name if contract else ""
        return RecheckVerdict(
            accepted=True,
            reason="Accepted",
            message=f"contract {name}, asked for by {asked.caller.subject}",
            effect=Effect.APPLY,
            replicas=asked.replicas,
            subject=asked.caller.subject,
        )
    effect, replicas = _not_covered(asked, facts)
    return RecheckVerdict(
        accepted=False,
        reason=found[0].reason,
        message=explain(found) + _CONSEQUENCES[effect],
        effect=effect,
        replicas=replicas,
        subject=asked.caller.subject,
    )


def _not_covered(asked: ContractFacts, facts: RecheckFacts) -> tuple[Effect, int]:
    """What is done with a server that its contract does not cover, and how many replicas it has.

    A spec whose replicas take more than was granted is not applied: it would let the server grow.
    """
    drains = asked.contract is not None and asked.contract.enforcement == "Drain"
    if drains and (facts.runs or facts.granted is not None):
        return Effect.DRAIN, 0
    if facts.granted is None:
        return Effect.FREEZE, 0
    replicas = min(asked.replicas, facts.granted.replicas)
    if not Demand.of_serve(asked.serve, replicas, devices=asked.devices).within(facts.granted):
        return Effect.FREEZE, 0
    return Effect.CAP, replicas


_CONSEQUENCES = {
    Effect.FREEZE: " (nothing is started or changed)",
    Effect.CAP: " (what runs goes on and does not grow)",
    Effect.DRAIN: " (scaled to zero, as the contract's enforcement says)",
}


def _refused(refused: Violation | None) -> RecheckVerdict:
    if refused is None:
        return unknown("the receipt was not looked at yet")
    return RecheckVerdict(
        accepted=False,
        reason=refused.reason,
        message=f"{refused.message} (until then nothing is started or changed)",
        effect=Effect.FREEZE,
    )


def unknown(message: str) -> RecheckVerdict:
    """The verdict as long as the receipts' keys can't be read."""
    return RecheckVerdict(
        accepted=None, reason="ReceiptKeysMissing", message=message, effect=Effect.FREEZE
    )
