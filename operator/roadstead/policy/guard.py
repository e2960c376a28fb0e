"""What the reconciler may do with a ModelServe: receipt and contract are checked once more.

The webhooks have let the object through, or were down, or were gone around, or the contract has
changed since. Here nothing starts or grows that is not covered now.
"""

from __future__ import annotations

import dataclasses
import enum

from roadstead.policy.chain import Violation
from roadstead.policy.contract import ContractFacts, explain, violations


class Effect(enum.Enum):
    """What is done with the server's objects."""

    APPLY = "apply"
    """All that the spec asks for."""
    CAP = "cap"
    """What the spec asks for, with no more replicas than run."""
    FREEZE = "freeze"
    """Nothing is made or changed; what runs goes on."""
    DRAIN = "drain"
    """Scaled to zero."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GuardFacts:
    """A ModelServe as it is to be run.

    `refused` says what is wrong with the receipt; then nobody knows who asked, and `contract` is
    None. `running` are the replicas that its Deployment asks for; None without one.
    """

    contract: ContractFacts | None
    refused: Violation | None = None
    running: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """`accepted` is None where it can't be told yet; `subject` is who asked, if that is known."""

    accepted: bool | None
    reason: str
    message: str
    effect: Effect
    replicas: int = 0
    """How many may run, for APPLY, CAP and DRAIN."""
    subject: str = ""


def judge(facts: GuardFacts) -> Verdict:
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
        return Verdict(
            accepted=True,
            reason="Accepted",
            message=f"contract {name}, asked for by {asked.caller.subject}",
            effect=Effect.APPLY,
            replicas=asked.replicas,
            subject=asked.caller.subject,
        )
    effect, replicas = Effect.FREEZE, 0
    if facts.running is not None:
        drains = contract is not None and contract.enforcement == "Drain"
        effect = Effect.DRAIN if drains else Effect.CAP
        replicas = 0 if drains else min(asked.replicas, facts.running)
    return Verdict(
        accepted=False,
        reason=found[0].reason,
        message=explain(found) + _CONSEQUENCES[effect],
        effect=effect,
        replicas=replicas,
        subject=asked.caller.subject,
    )


_CONSEQUENCES = {
    Effect.FREEZE: " (nothing is started)",
    Effect.CAP: " (what runs goes on and does not grow)",
    Effect.DRAIN: " (scaled to zero, as the contract's enforcement says)",
}


def _refused(refused: Violation | None) -> Verdict:
    if refused is None:
        return unknown("the receipt was not looked at yet")
    return Verdict(
        accepted=False,
        reason=refused.reason,
        message=f"{refused.message} (until then nothing is started or changed)",
        effect=Effect.FREEZE,
    )


def unknown(message: str) -> Verdict:
    """The verdict as long as the receipts' keys can't be read."""
    return Verdict(
        accepted=None, reason="ReceiptKeysMissing", message=message, effect=Effect.FREEZE
    )
