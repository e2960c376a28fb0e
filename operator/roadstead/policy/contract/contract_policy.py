"""What a contract allows a caller to do with a ModelServe; all violations are reported at once."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping

from roadstead.api.contract.contract_limits import Authorization
from roadstead.api.contract.demand import NO_DEMAND, Demand, find_faults
from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.modelserve import ModelServe
from roadstead.api.object_names import matches_any
from roadstead.api.raw import timestamp
from roadstead.excerpts import alternatives, together
from roadstead.policy.chain import Violation
from roadstead.policy.contract.config_policy import config_violations
from roadstead.policy.contract.contract_runtime import runtime_violations
from roadstead.policy.contract.contract_totals import Load, limit_violations


@dataclasses.dataclass(frozen=True, kw_only=True)
class Caller:
    """The caller, from a verified token or receipt."""

    subject: str
    groups: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContractFacts:
    """A ModelServe with `replicas` that `caller` requests, and the contract that is applied to it.

    `now` has a time zone.
    """

    serve: ModelServe
    replicas: int
    caller: Caller
    namespace_labels: Mapping[str, str]
    contract: ResourceContract | None
    now: datetime.datetime
    others: Demand = NO_DEMAND
    """What all other servers use of this contract, reservations included."""
    own: Demand = NO_DEMAND
    """What this server uses of this contract already. A change that uses no more of a limit is
    allowed even if the server exceeds the limit since it was lowered (as with a ResourceQuota)."""
    running: Demand = NO_DEMAND
    """What may still run of this server's previous spec, under any contract. Until its rollout is
    complete, it uses the larger of this and of its spec, amount by amount, of the totals."""
    uuid_model: str = ""
    """The name of the Model whose UID is `spec.modelUuid`; empty if there is none."""
    devices: DeviceNames = DEFAULT_DEVICES
    """Which resources count as devices."""
    memory: Violation | None = None
    """A memory limit that is too small for the model, if such limits are to be denied."""

    @property
    def wanted(self) -> Demand:
        """What this server uses if it is allowed."""
        requested = Demand.of_serve(self.serve, self.replicas, devices=self.devices)
        return requested | self.running


def violations(facts: ContractFacts) -> tuple[Violation, ...]:
    """Everything that the contract doesn't allow; empty if it allows the server.

    Never raises. Callers whom the contract doesn't cover get no violations of limits.
    """
    contract = facts.contract
    if contract is None:
        return (_no_contract(facts),)
    namespace = facts.serve.meta.namespace
    if not contract.namespaces.covers(namespace, facts.namespace_labels):
        return (_not_covered(contract, namespace),)
    outside = (*_authorization(facts, contract), *_models(facts, contract))
    if any(found.reason == "NotAuthorized" for found in outside):
        return outside
    return (
        *validity_violations(contract, now=facts.now),
        *outside,
        *_resources(facts.serve),
        *limit_violations(facts.serve, facts.replicas, contract, _load(facts), facts.devices),
        *runtime_violations(facts.serve, contract, facts.devices),
        *config_violations(facts.serve, contract),
        *((facts.memory,) if facts.memory else ()),
    )


def covers(
    contract: ResourceContract,
    namespace: str,
    labels: Mapping[str, str],
    caller: Caller,
    model_name: str,
) -> bool:
    """Whether the contract covers this caller, namespace and model, apart from limits."""
    return (
        contract.namespaces.covers(namespace, labels)
        and allows(contract, caller)
        and matches_any(contract.models, model_name)
    )


def authorizes(contract: ResourceContract, caller: Caller, model_name: str) -> bool:
    """Whether the contract covers this caller and model, apart from namespaces."""
    return allows(contract, caller) and matches_any(contract.models, model_name)


def allows(contract: ResourceContract, caller: Caller) -> bool:
    """Whether the contract covers this caller, apart from models and namespaces."""
    return contract.authorization.allows(caller.subject, caller.groups, caller.scopes)


def relevant(caller: Caller, authorizations: Iterable[Authorization]) -> Caller:
    """The caller with only those groups and scopes that any of the authorizations names."""
    named = tuple(authorizations)
    groups = frozenset[str]().union(*(each.groups for each in named))
    scopes = frozenset[str]().union(*(each.scopes for each in named))
    return Caller(
        subject=caller.subject, groups=caller.groups & groups, scopes=caller.scopes & scopes
    )


def validity_violations(
    contract: ResourceContract, *, now: datetime.datetime
) -> Iterator[Violation]:
    """Why the contract is not in force at `now`; empty if it is."""
    name = contract.meta.name
    if contract.faults:
        yield Violation(
            reason="ContractInvalid",
            message=f"contract {name} is invalid: {', '.join(contract.faults)}",
            field="spec.contract",
        )
    if contract.meta.deleting:
        yield Violation(
            reason="ContractDeleting",
            message=f"contract {name} is being deleted",
            field="spec.contract",
        )
    if contract.expires_at is not None and contract.expired(now):
        yield Violation(
            reason="ContractExpired",
            message=f"contract {name} expired at {timestamp(contract.expires_at)}; "
            "its administrator can set a later spec.expiresAt",
            field="spec.contract",
        )


def model_names(facts: ContractFacts) -> tuple[str, ...]:
    """Every name of the server's model: if name and UUID are set, both must be allowed."""
    return tuple(dict.fromkeys(name for name in (facts.serve.model_name, facts.uuid_model) if name))


def explain(found: Iterable[Violation]) -> str:
    """All violations in one text, each after the path of its field."""
    return "; ".join(f"{each.field}: {each.message}" if each.field else each.message
                     for each in found)  # fmt: skip


def describe_authorization(authorization: Authorization) -> str:
    """What a token must claim, for people; subjects are counted, not named."""
    parts = []
    if authorization.groups:
        parts.append(f"group {alternatives(authorization.groups)}")
    if authorization.subjects:
        parts.append(f"one of {len(authorization.subjects)} named subjects")
    who = [" or ".join(parts)] if parts else []
    scopes = [f"scope {together(authorization.scopes)}"] if authorization.scopes else []
    return " and ".join(who + scopes) or "nobody"


def _load(facts: ContractFacts) -> Load:
    return Load(others=facts.others, own=facts.own, running=facts.running)


def _no_contract(facts: ContractFacts) -> Violation:
    return Violation(
        reason="NoContract",
        message=f"no ResourceContract covers this server in namespace {facts.serve.meta.namespace}",
        field="spec.contract",
    )


def _not_covered(contract: ResourceContract, namespace: str) -> Violation:
    return Violation(
        reason="NamespaceNotCovered",
        message=f"contract {contract.meta.name} doesn't cover namespace {namespace}",
        field="spec.contract",
    )


def _authorization(facts: ContractFacts, contract: ResourceContract) -> Iterator[Violation]:
    if allows(contract, facts.caller):
        return
    caller = relevant(facts.caller, [contract.authorization])
    yield Violation(
        reason="NotAuthorized",
        message=f"contract {contract.meta.name} requires "
        f"{describe_authorization(contract.authorization)}; "
        f"of these, the token that {caller.subject or 'nobody'} applied the server with has group "
        f"{alternatives(caller.groups)} and scope {alternatives(caller.scopes)}",
        field="spec.contract",
    )


def _models(facts: ContractFacts, contract: ResourceContract) -> Iterator[Violation]:
    serve = facts.serve
    if serve.model_uuid and not facts.uuid_model:
        yield Violation(
            reason="ModelNotFound",
            message=f"no Model has the UUID {serve.model_uuid}, so contract {contract.meta.name} "
            "can't be checked; `kubectl get models` lists the Models",
            field="spec.modelUuid",
        )
    elif not model_names(facts):
        yield Violation(
            reason="ModelNotAllowed",
            message=f"no model is named; contract {contract.meta.name} allows "
            f"{alternatives(contract.models)}",
            field="spec.modelName",
        )
    for name in model_names(facts):
        if not matches_any(contract.models, name):
            yield Violation(
                reason="ModelNotAllowed",
                message=f"model {name}; contract {contract.meta.name} allows "
                f"{alternatives(contract.models)}",
                field="spec.modelName" if name == serve.model_name else "spec.modelUuid",
            )


def _resources(serve: ModelServe) -> Iterator[Violation]:
    for fault in find_faults(serve):
        message = str(fault).removeprefix(f"{fault.field}: ")
        yield Violation(reason="InvalidResources", message=message, field=fault.field)
