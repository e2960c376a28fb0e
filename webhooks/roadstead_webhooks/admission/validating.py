"""Whether an object may be stored, changed, scaled or deleted."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable
from typing import Final

from roadstead.api.demand import Demand
from roadstead.api.group import ANNOTATION_DELETION, ANNOTATION_RECEIPT, ANNOTATION_TOKEN
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import section
from roadstead.errors import InvalidReceipt
from roadstead.policy.cache_types import cache_type_warnings
from roadstead.policy.chain import Violation
from roadstead.policy.contract_choice import Choice, choose
from roadstead.policy.contract_policy import Caller, ContractFacts, authorizes
from roadstead.policy.input_length import input_warnings
from roadstead.policy.memory_fit import memory_fit
from roadstead.policy.modelserve_policy import spec_violations
from roadstead.tokens.receipts import Receipt
from roadstead_webhooks.admission import reviewed_objects
from roadstead_webhooks.admission.facts import Facts, Rules
from roadstead_webhooks.admission.foreign import too_much
from roadstead_webhooks.admission.request_text import MAX_MESSAGE, cut
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest, Operation

GARBAGE_COLLECTORS: Final = frozenset(
    {
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:serviceaccount:kube-system:namespace-controller",
    }
)
DELETION_SECONDS: Final = 600
"""How long a leave to delete is good."""
_SHOWN: Final = 10
_SUBRESOURCES: Final = "this subresource is none that can be changed: expected status or scale"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Validation:
    """The answer, and what has to be reserved of a contract before it is given."""

    answer: AdmissionAnswer
    reserve: Claim | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """What a ModelServe that may be admitted takes of its contract: to be checked once more
    against the contract as it is when the reservation is written."""

    contract: str
    key: str
    uid: str
    wanted: Demand
    facts: ContractFacts = dataclasses.field(repr=False)


def validate(request: AdmissionRequest, facts: Facts, rules: Rules) -> Validation:
    """Pure; never raises. Whatever is not known is denied."""
    if request.mismatch:
        return _no("RequestMismatch", request.mismatch, code=400)
    if request.subresource == "scale" and request.kind == "ModelServe":
        return _scale(request, facts, rules)
    if request.subresource:
        # The API server takes nothing but the status from it.
        known = request.subresource == "status"
        return _yes("Status") if known else _no("SubresourceUnknown", _SUBRESOURCES)
    if request.operation == Operation.DELETE:
        return Validation(answer=_delete(request, facts, rules))
    if reviewed_objects.going(request) and reviewed_objects.equal(request):
        return _yes("Going")
    if ANNOTATION_TOKEN in request.annotations:
        return _no("TokenNotTaken", f"{ANNOTATION_TOKEN} is still there: it must never be stored")
    if refused := too_much(request) or _owners(request):
        return Validation(answer=refused)
    if _receipt_stays(request) and reviewed_objects.equal(request):
        return Validation(answer=_deletion_asked(request, facts, rules) or _yes("Unchanged").answer)
    if is_operators_model(request, rules):
        return Validation(answer=_operators(request, facts))
    receipt = facts.receipt
    if not isinstance(receipt, Receipt):
        return _no_receipt(receipt)
    answer = _deletion_asked(request, facts, rules)
    if answer is not None:
        return Validation(answer=answer)
    if request.kind == "ModelServe":
        return _serve(request, facts, rules, receipt)
    return Validation(answer=_authorized(request, caller_of(receipt), facts, rules))


def _serve(request: AdmissionRequest, facts: Facts, rules: Rules, receipt: Receipt) -> Validation:
    if not reviewed_objects.readable(request.object):
        return _no("InvalidObject", "the spec is not of the form that its schema has", code=400)
    serve = ModelServe.parse(request.object)
    if serve.contract != receipt.contract or not serve.contract:
        return _no("ReceiptOtherSpec", "spec.contract is not the receipt's", receipt.subject)
    found = spec_violations(serve)
    return _held(request, serve, receipt, facts, rules, uid=serve.meta.uid, found=found)


def _scale(request: AdmissionRequest, facts: Facts, rules: Rules) -> Validation:
    """A Scale has no annotations, so the server as it is stored vouches for who asked for it.

    Its spec was judged as it was admitted: what a later version refuses can still be scaled down.
    """
    replicas = section(request.object, "spec").get("replicas", 0)
    if type(replicas) is not int:
        return _no("InvalidObject", "spec.replicas is no whole number", code=400)
    if facts.live is None:
        return _no("NotFound", f"{request.title} is not there to be scaled", code=409)
    if not isinstance(facts.receipt, Receipt):
        return _no_receipt(facts.receipt)
    serve = dataclasses.replace(facts.live, replicas=replicas)
    return _held(request, serve, facts.receipt, facts, rules, uid=facts.live.meta.uid)


def _held(
    request: AdmissionRequest,
    serve: ModelServe,
    receipt: Receipt,
    facts: Facts,
    rules: Rules,
    *,
    uid: str,
    found: tuple[Violation, ...] = (),
) -> Validation:
    """Against the contract that it names, beside what was `found` wrong with it already."""
    held = contract_facts(serve, caller_of(receipt), facts, rules)
    choice = choose(facts.offers, held) if serve.contract else Choice(contract=None, violations=())
    warnings = _warnings(serve, facts, rules)
    fields = {each.field for each in choice.violations}
    wrong = (*choice.violations, *(each for each in found if each.field not in fields))
    if wrong or choice.contract is None:
        answer = dataclasses.replace(deny_for(wrong), subject=receipt.subject, warnings=warnings)
        return Validation(answer=answer)
    answer = AdmissionAnswer(
        allowed=True, reason="Allowed", subject=receipt.subject, warnings=warnings
    )
    offer = next(each for each in facts.offers if each.contract is choice.contract)
    if held.wanted.within(offer.own):
        return Validation(answer=answer)
    held = dataclasses.replace(held, contract=offer.contract, own=offer.own)
    claim = Claim(
        contract=serve.contract,
        key=reviewed_objects.key(request),
        uid=uid,
        wanted=held.wanted,
        facts=held,
    )
    return Validation(answer=answer, reserve=claim)


def _operators(request: AdmissionRequest, facts: Facts) -> AdmissionAnswer:
    """A Model that the operator makes: one that a ModelServe names, of the Quant service."""
    if facts.users and _is_plain(request):
        return AdmissionAnswer(allowed=True, reason="Allowed", subject=request.username)
    message = f"no ModelServe asks for a model {request.name} of this source"
    return denied("ModelNotAsked", message, subject=request.username)


def _authorized(
    request: AdmissionRequest, caller: Caller, facts: Facts, rules: Rules
) -> AdmissionAnswer:
    if caller.groups & rules.admin_groups:
        return AdmissionAnswer(allowed=True, reason="Allowed", subject=caller.subject)
    admins = ", ".join(sorted(rules.admin_groups))
    if request.kind == "Model" and request.operation == Operation.CREATE and _is_plain(request):
        contracts = (offer.contract for offer in facts.offers if offer.contract.in_force(facts.now))
        if any(authorizes(contract, caller, request.name) for contract in contracts):
            return AdmissionAnswer(allowed=True, reason="Allowed", subject=caller.subject)
        message = (
            f"no contract lets {caller.subject} have model {request.name or 'of a generated name'},"
            f" and the token has none of the groups {admins}"
        )
        return denied("NotAuthorized", message, subject=caller.subject)
    if request.kind == "Model":
        message = (
            "without one of the groups "
            f"{admins}, {caller.subject} may only create a Model, with spec.source.quant.modelId "
            "its own name and nothing else: the rest decides what others are served"
        )
        return denied("NotAuthorized", message, subject=caller.subject)
    message = f"contracts are for the groups {admins}; the token of {caller.subject} has none"
    return denied("NotAuthorized", message, subject=caller.subject)


def _is_plain(request: AdmissionRequest) -> bool:
    """Whether a Model is what the operator itself would make: of its own name, at its own place.

    A contract allows models by name. Another source, place or deletion policy would make the name
    stand for somebody else's object, or for one that is not in the catalogue at all.
    """
    defaults = {"format": "gguf", "deletionPolicy": "Retain"}
    rest = {key: value for key, value in request.spec.items() if defaults.get(key) != value}
    return reviewed_objects.same(rest, {"source": {"quant": {"modelId": request.name}}})


def _owners(request: AdmissionRequest) -> AdmissionAnswer | None:
    """The denial of owners: what owns nothing here could have these deleted by the collector."""
    if request.kind == "ModelServe":
        return None
    now, before = (
        section(raw, "metadata").get("ownerReferences") for raw in (request.object, request.old)
    )
    if not now or reviewed_objects.same(now, before):
        return None
    message = f"a {request.kind} has no owners: leave metadata.ownerReferences out"
    return denied("OwnersNotTaken", message)


def _delete(request: AdmissionRequest, facts: Facts, rules: Rules) -> AdmissionAnswer:
    """Of a ModelServe Kubernetes' own RBAC decides: a request to delete carries no token."""
    gone = section(request.old, "metadata").get("deletionTimestamp")
    if request.kind == "ModelServe" or gone or request.username in GARBAGE_COLLECTORS:
        return AdmissionAnswer(allowed=True, reason="Deleted")
    if facts.users:
        shown = ", ".join(facts.users[:_SHOWN])
        more = f" and {len(facts.users) - _SHOWN} more" if len(facts.users) > _SHOWN else ""
        return denied(
            "ModelInUse", f"model {request.name} is used by {shown}{more}: delete them first"
        )
    leave = facts.deletion
    if not isinstance(leave, Receipt) or _too_old(leave, facts.now):
        return denied("DeletionNotAsked", _how_to_delete(request))
    return _authorized(request, caller_of(leave), facts, rules)


def _deletion_asked(
    request: AdmissionRequest, facts: Facts, rules: Rules
) -> AdmissionAnswer | None:
    """The denial of a leave to delete that is new and may not be; None where all is well."""
    asked = request.annotations.get(ANNOTATION_DELETION)
    if asked is None or asked == request.old_annotations.get(ANNOTATION_DELETION):
        return None
    if not isinstance(facts.deletion, Receipt):
        return denied("ReceiptForged", f"{ANNOTATION_DELETION} is written by the webhooks alone")
    answer = _authorized(request, caller_of(facts.deletion), facts, rules)
    return None if answer.allowed else answer


def _how_to_delete(request: AdmissionRequest) -> str:
    plural = f"{request.kind.lower()}s"
    return (
        f"{request.title} is deleted only with a token, which a deletion can't carry: first run "
        f"`kubectl annotate --overwrite {plural} {request.name} {ANNOTATION_DELETION}=yes "
        f"{ANNOTATION_TOKEN}=TOKEN`, then delete it within {DELETION_SECONDS // 60} minutes"
    )


def _too_old(leave: Receipt, now: datetime.datetime) -> bool:
    return now.timestamp() - leave.issued_at > DELETION_SECONDS


def is_operators_model(request: AdmissionRequest, rules: Rules) -> bool:
    """Whether the operator itself creates a Model, as it does for a ModelServe that names it."""
    create = request.kind == "Model" and request.operation == Operation.CREATE
    token = ANNOTATION_TOKEN in request.annotations
    return create and not token and request.username == rules.operator != ""


def _receipt_stays(request: AdmissionRequest) -> bool:
    before = request.old_annotations.get(ANNOTATION_RECEIPT)
    return bool(request.annotations.get(ANNOTATION_RECEIPT) == before)


def caller_of(receipt: Receipt) -> Caller:
    """Who asked, by a receipt."""
    return Caller(subject=receipt.subject, groups=receipt.groups, scopes=receipt.scopes)


def contract_facts(serve: ModelServe, caller: Caller, facts: Facts, rules: Rules) -> ContractFacts:
    """What the policy needs to know of a ModelServe, no contract chosen yet."""
    denies = rules.memory_fit == "Deny"
    memory = memory_fit(serve, facts.model, rules.devices, to_deny=True) if denies else None
    return ContractFacts(
        serve=serve,
        replicas=serve.replicas,
        caller=caller,
        namespace_labels=facts.namespace_labels,
        contract=None,
        now=facts.now,
        running=facts.running,
        uuid_model=facts.uuid_model,
        devices=rules.devices,
        memory=memory,
    )


def _warnings(serve: ModelServe, facts: Facts, rules: Rules) -> tuple[str, ...]:
    # With `Deny`, an estimate that is too uncertain to deny a server is still worth a warning.
    warns = rules.memory_fit != "Off"
    memory = memory_fit(serve, facts.model, rules.devices) if warns else None
    found = (
        *((memory,) if memory else ()),
        *input_warnings(serve, facts.model),
        *cache_type_warnings(serve, facts.model),
    )
    return tuple(f"{each.field}: {each.message}" for each in found)


def denied(reason: str, message: str, *, code: int = 403, subject: str = "") -> AdmissionAnswer:
    """A denial; a message that is too long is cut."""
    text = cut(message, MAX_MESSAGE)
    return AdmissionAnswer(allowed=False, reason=reason, message=text, code=code, subject=subject)


def deny_for(violations: Iterable[Violation]) -> AdmissionAnswer:
    """A denial with all violations; the first gives the reason."""
    found = tuple(violations)
    if not found:
        return denied("NoContract", "spec.contract names no contract")
    parts = (f"{each.field}: {each.message}" if each.field else each.message for each in found)
    return denied(found[0].reason, "; ".join(map(cut, parts)))


def _yes(reason: str) -> Validation:
    return Validation(answer=AdmissionAnswer(allowed=True, reason=reason))


def _no(reason: str, message: str, subject: str = "", *, code: int = 403) -> Validation:
    return Validation(answer=denied(reason, message, code=code, subject=subject))


def _no_receipt(fault: InvalidReceipt | None) -> Validation:
    if fault is None:
        return _no("ReceiptMissing", "there is no receipt: apply the object with a token")
    return _no(fault.reason, str(fault))
