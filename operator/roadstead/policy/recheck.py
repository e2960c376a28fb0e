"""What the reconciler may do with a ModelServe: receipt and contract are checked again.

The webhooks may have been down or bypassed, or the contract may have changed since. A server that
is not covered now neither starts nor grows.
"""

from __future__ import annotations

import dataclasses
import enum

from roadstead.api.contract.demand import Demand
from roadstead.policy.chain import Violation
from roadstead.policy.contract.contract_policy import ContractFacts, explain, violations


class Effect(enum.Enum):
    """What the reconciler does with the server's objects."""

    APPLY = "apply"
    """Apply the spec."""
    CAP = "cap"
    """Apply the spec, with at most the granted replicas."""
    FREEZE = "freeze"
    """Create and change nothing; what runs continues, with at most the granted replicas."""
    DRAIN = "drain"
    """Scale to zero."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecheckFacts:
    """A ModelServe and what is known of it.

    `refused` is what is wrong with the receipt; then the author is unknown and `contract` is None.
    `granted` is the last grant in the status, None without one. `runs`: it has a Deployment of the
    operator.
    """

    contract: ContractFacts | None
    refused: Violation | None = None
    granted: Demand | None = None
    runs: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecheckVerdict:
    """`accepted` is None if it is unknown yet; `subject` is the author, if known."""

    accepted: bool | None
    reason: str
    message: str
    effect: Effect
    replicas: int = 0
    """The replicas that may run, for APPLY, CAP and DRAIN."""
    subject: str = ""


def judge(facts: RecheckFacts) -> RecheckVerdict:
    """The verdict; never raises.

    An invalid receipt freezes the server: its spec is not what was admitted, so it can be neither
    applied nor checked against a contract. A contract that no longer covers the server drains it
    if its enforcement is Drain, and otherwise keeps it from growing.
    """
    if facts.contract is None:
        return _refused(facts.refused)
    requested, contract = facts.contract, facts.contract.contract
    found = violations(requested)
    if not found:
        name = contract.meta.name if contract else ""
        return RecheckVerdict(
            accepted=True,
            reason="Accepted",
            message=f"contract {name}, requested by {requested.caller.subject}",
            effect=Effect.APPLY,
            replicas=requested.replicas,
            subject=requested.caller.subject,
        )
    effect, replicas = _not_covered(requested, facts)
    return RecheckVerdict(
        accepted=False,
        reason=found[0].reason,
        message=explain(found) + _CONSEQUENCES[effect],
        effect=effect,
        replicas=replicas,
        subject=requested.caller.subject,
    )


def _not_covered(requested: ContractFacts, facts: RecheckFacts) -> tuple[Effect, int]:
    """The effect for a server that its contract does not cover, and its replicas.

    A spec whose replicas use more than was granted is not applied: the server would grow.
    """
    drains = requested.contract is not None and requested.contract.enforcement == "Drain"
    if drains and (facts.runs or facts.granted is not None):
        return Effect.DRAIN, 0
    if facts.granted is None:
        return Effect.FREEZE, 0
    replicas = min(requested.replicas, facts.granted.replicas)
    demand = Demand.of_serve(requested.serve, replicas, devices=requested.devices)
    if not demand.within(facts.granted):
        return Effect.FREEZE, 0
    return Effect.CAP, replicas


_CONSEQUENCES = {
    Effect.FREEZE: " (nothing is started or changed)",
    Effect.CAP: " (what runs continues and does not grow)",
    Effect.DRAIN: " (scaled to zero by the contract's enforcement)",
}


def _refused(refused: Violation | None) -> RecheckVerdict:
    if refused is None:
        return unknown("the receipt is not checked yet")
    return RecheckVerdict(
        accepted=False,
        reason=refused.reason,
        message=f"{refused.message} (until then nothing is started or changed)",
        effect=Effect.FREEZE,
    )


def server_id_taken(holder: str) -> RecheckVerdict:
    """The verdict on a server whose server ID belongs to another one, `namespace/name`."""
    return RecheckVerdict(
        accepted=False,
        reason="ServerIdTaken",
        message=f"its server ID belongs to ModelServe {holder}: delete this ModelServe, and create "
        "it without the annotation model.example.com/server-id (nothing is started or changed)",
        effect=Effect.FREEZE,
    )


def unknown(message: str) -> RecheckVerdict:
    """The verdict while the receipts' keys are unavailable."""
    return RecheckVerdict(
        accepted=None, reason="ReceiptKeysMissing", message=message, effect=Effect.FREEZE
    )
