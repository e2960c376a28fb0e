"""The validating webhook's decision: may an object be stored, scaled or deleted (pure)."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable
from typing import Final

from roadstead.api.contract.demand import Demand
from roadstead.api.group import (
    ANNOTATION_DELETION,
    ANNOTATION_RECEIPT,
    ANNOTATION_REQUESTED_BY,
    ANNOTATION_TOKEN,
)
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import section
from roadstead.errors import InvalidReceipt
from roadstead.excerpts import MAX_MESSAGE, truncate
from roadstead.policy.cache_types import cache_type_warnings
from roadstead.policy.chain import Violation
from roadstead.policy.contract.contract_choice import Choice, choose
from roadstead.policy.contract.contract_policy import Caller, ContractFacts, authorizes
from roadstead.policy.input_length import input_warnings
from roadstead.policy.memory_fit import memory_fit
from roadstead.policy.modelserve_policy import spec_violations
from roadstead.tokens.receipts import Receipt
from roadstead_webhooks.admission import reviewed_objects
from roadstead_webhooks.admission.facts import Facts, Rules
from roadstead_webhooks.admission.foreign import deny_oversized
from roadstead_webhooks.admission.requesters import account_of
from roadstead_webhooks.admission.restoring import (
    RESTORED,
    check_restorer,
    restores_operators_model,
)
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest, Operation
from roadstead_webhooks.admission.server_identity import check_server_id

GARBAGE_COLLECTORS: Final = frozenset(
    {
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:serviceaccount:kube-system:namespace-controller",
    }
)
DELETION_SECONDS: Final = 600
"""The validity of a deletion permit."""
_SHOWN: Final = 10
_SIGNED: Final = (ANNOTATION_RECEIPT, ANNOTATION_REQUESTED_BY)
_SUBRESOURCES: Final = "this subresource can't be updated: expected status or scale"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Validation:
    """The answer, and the claim to reserve before the answer is sent."""

    answer: AdmissionAnswer
    reserve: Claim | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """The demand of a ModelServe on its contract; it is checked again against the current contract
    when the reservation is written."""

    contract: str
    key: str
    uid: str
    wanted: Demand
    facts: ContractFacts = dataclasses.field(repr=False)


def validate(request: AdmissionRequest, facts: Facts, rules: Rules) -> Validation:
    """Decide on a request; never raises. Unknown requests are denied."""
    if request.mismatch:
        return _deny("RequestMismatch", request.mismatch, code=400)
    if request.subresource == "scale" and request.kind == "ModelServe":
        return _validate_scale(request, facts, rules)
    if request.subresource:
        # The API server ignores all other changes of a status update.
        known = request.subresource == "status"
        return _allow("Status") if known else _deny("SubresourceUnknown", _SUBRESOURCES)
    if request.operation == Operation.DELETE:
        return Validation(answer=_validate_deletion(request, facts, rules))
    if reviewed_objects.is_being_deleted(request) and reviewed_objects.keeps_spec(request):
        going = deny_oversized(request) or check_server_id(request, facts)
        return Validation(answer=going or _allow("Going").answer)
    if ANNOTATION_TOKEN in request.annotations:
        return _deny("TokenNotTaken", f"{ANNOTATION_TOKEN} is still set: it must not be stored")
    if denial := deny_oversized(request) or _check_owners(request):
        return Validation(answer=denial)
    if denial := check_server_id(request, facts):
        return Validation(answer=denial)
    if _keeps_receipt(request) and reviewed_objects.keeps_spec(request):
        return Validation(
            answer=_check_deletion_permit(request, facts, rules) or _allow("Unchanged").answer
        )
    if is_operators_model(request, rules):
        return Validation(answer=_validate_operators_model(request, facts))
    if restores_operators_model(request, rules):
        return _validate_restored_model(request, facts, rules)
    receipt = facts.receipt
    if not isinstance(receipt, Receipt):
        return _deny_receipt(receipt)
    if receipt.restorer and request.operation == Operation.CREATE:
        if receipt.restorer != request.username:
            return _deny("ReceiptForged", "the receipt was signed for another restorer")
        return _as_restored(_validate_content(request, facts, rules, receipt))
    return _validate_content(request, facts, rules, receipt)


def _validate_content(
    request: AdmissionRequest, facts: Facts, rules: Rules, receipt: Receipt
) -> Validation:
    answer = _check_account(request, receipt) or _check_deletion_permit(request, facts, rules)
    if answer is not None:
        return Validation(answer=answer)
    if request.kind == "ModelServe":
        return _validate_serve(request, facts, rules, receipt)
    return Validation(answer=_authorize(request, caller_of(receipt), facts, rules))


def _check_account(request: AdmissionRequest, receipt: Receipt) -> AdmissionAnswer | None:
    """Return a denial if another user sends the receipt of a ServiceAccount."""
    account = receipt.binding.requested_by
    if account in ("", request.username):
        return None
    message = f"the receipt is for {account}, and {request.username} sends it"
    return deny("ReceiptOtherAuthor", message, subject=account)


def _validate_serve(
    request: AdmissionRequest, facts: Facts, rules: Rules, receipt: Receipt
) -> Validation:
    if not reviewed_objects.is_readable(request.object):
        return _deny("InvalidObject", "the spec does not match its schema", code=400)
    serve = ModelServe.parse(request.object)
    if serve.contract != receipt.contract or not serve.contract:
        return _deny(
            "ReceiptOtherSpec", "spec.contract differs from the receipt's", receipt.subject
        )
    found = spec_violations(serve)
    return _check_contract(request, serve, receipt, facts, rules, uid=serve.meta.uid, found=found)


def _validate_scale(request: AdmissionRequest, facts: Facts, rules: Rules) -> Validation:
    """Decide on a Scale by the stored server's receipt, since a Scale has no annotations.

    The spec was validated when it was admitted: a server that a later version of Roadstead denies
    can still be scaled down.
    """
    replicas = section(request.object, "spec").get("replicas", 0)
    if type(replicas) is not int:
        return _deny("InvalidObject", "spec.replicas is not an integer", code=400)
    if facts.live is None:
        return _deny("NotFound", f"{request.title} does not exist", code=404)
    if not isinstance(facts.receipt, Receipt):
        return _deny_receipt(facts.receipt)
    serve = dataclasses.replace(facts.live, replicas=replicas)
    return _check_contract(request, serve, facts.receipt, facts, rules, uid=facts.live.meta.uid)


def _check_contract(
    request: AdmissionRequest,
    serve: ModelServe,
    receipt: Receipt,
    facts: Facts,
    rules: Rules,
    *,
    uid: str,
    found: tuple[Violation, ...] = (),
) -> Validation:
    """Check a server against its contract; `found` are violations of its spec."""
    known_facts = contract_facts(serve, caller_of(receipt), facts, rules)
    choice = (
        choose(facts.offers, known_facts)
        if serve.contract
        else Choice(contract=None, violations=())
    )
    warnings = _find_warnings(serve, facts, rules)
    fields = {each.field for each in choice.violations}
    wrong = (*choice.violations, *(each for each in found if each.field not in fields))
    if wrong or choice.contract is None:
        answer = dataclasses.replace(deny_for(wrong), subject=receipt.subject, warnings=warnings)
        return Validation(answer=answer)
    answer = AdmissionAnswer(
        allowed=True, reason="Allowed", subject=receipt.subject, warnings=warnings
    )
    offer = next(each for each in facts.offers if each.contract is choice.contract)
    if known_facts.wanted.within(offer.own):
        return Validation(answer=answer)
    known_facts = dataclasses.replace(known_facts, contract=offer.contract, own=offer.own)
    claim = Claim(
        contract=serve.contract,
        key=reviewed_objects.reservation_key(request),
        uid=uid,
        wanted=known_facts.wanted,
        facts=known_facts,
    )
    return Validation(answer=answer, reserve=claim)


def _validate_restored_model(request: AdmissionRequest, facts: Facts, rules: Rules) -> Validation:
    """Decide on a Model that the operator had created for a ModelServe, which may follow later."""
    if denial := check_restorer(request, facts, rules):
        return Validation(answer=denial)
    if not _is_plain(request):
        return _deny("ReceiptMissing", "the Model has no receipt: create it with a token")
    return _as_restored(_allow("Allowed"))


def _as_restored(validation: Validation) -> Validation:
    answer = validation.answer
    if not answer.allowed:
        return validation
    return dataclasses.replace(validation, answer=dataclasses.replace(answer, reason=RESTORED))


def _validate_operators_model(request: AdmissionRequest, facts: Facts) -> AdmissionAnswer:
    """Decide on a Model that the operator creates: a ModelServe must request it."""
    if facts.users and _is_plain(request):
        return AdmissionAnswer(allowed=True, reason="Allowed", subject=request.username)
    message = f"no ModelServe requests model {request.name} from this source"
    return deny("ModelNotAsked", message, subject=request.username)


def _authorize(
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
            f"no contract allows {caller.subject} to use model "
            f"{request.name or 'of a generated name'}, and has none of the groups "
            f"{admins}"
        )
        return deny("NotAuthorized", message, subject=caller.subject)
    if request.kind == "Model":
        message = (
            f"without one of the groups {admins}, {caller.subject} may only create a Model whose "
            "spec.source.quant.modelId equals its name, with no other field: other fields affect "
            "other users"
        )
        return deny("NotAuthorized", message, subject=caller.subject)
    message = f"a ResourceContract requires one of the groups {admins}; {caller.subject} has none"
    return deny("NotAuthorized", message, subject=caller.subject)


def _is_plain(request: AdmissionRequest) -> bool:
    """Return whether a Model is as the operator would create it for its name.

    A contract allows models by name. With another source, location or deletion policy the name
    would refer to another Model's object, or to one outside the catalogue.
    """
    defaults = {"format": "gguf", "deletionPolicy": "Retain"}
    rest = {key: value for key, value in request.spec.items() if defaults.get(key) != value}
    return reviewed_objects.json_equal(rest, {"source": {"quant": {"modelId": request.name}}})


def _check_owners(request: AdmissionRequest) -> AdmissionAnswer | None:
    """Return a denial of new owners: the garbage collector deletes objects of missing owners."""
    if request.kind == "ModelServe":
        return None
    now, before = (
        section(raw, "metadata").get("ownerReferences") for raw in (request.object, request.old)
    )
    if not now or reviewed_objects.json_equal(now, before):
        return None
    message = f"a {request.kind} can't have owners: remove metadata.ownerReferences"
    return deny("OwnersNotTaken", message)


def _validate_deletion(request: AdmissionRequest, facts: Facts, rules: Rules) -> AdmissionAnswer:
    """Decide on a deletion. RBAC decides for ModelServes: a DELETE request carries no token."""
    deleted_at = section(request.old, "metadata").get("deletionTimestamp")
    if request.kind == "ModelServe" or deleted_at or request.username in GARBAGE_COLLECTORS:
        return AdmissionAnswer(allowed=True, reason="Deleted")
    if facts.users:
        shown = ", ".join(facts.users[:_SHOWN])
        more = f" and {len(facts.users) - _SHOWN} more" if len(facts.users) > _SHOWN else ""
        return deny(
            "ModelInUse", f"model {request.name} is used by {shown}{more}: delete them first"
        )
    account = account_of(request, rules.accounts)
    if account is not None:
        return _authorize(request, account.caller, facts, rules)
    permit = facts.deletion
    if not isinstance(permit, Receipt) or _is_expired(permit, facts.now):
        return deny("DeletionNotAsked", _explain_deletion(request))
    return _authorize(request, caller_of(permit), facts, rules)


def _check_deletion_permit(
    request: AdmissionRequest, facts: Facts, rules: Rules
) -> AdmissionAnswer | None:
    """Return a denial if the deletion permit is new and not allowed; else None."""
    asked = request.annotations.get(ANNOTATION_DELETION)
    if asked is None or asked == request.old_annotations.get(ANNOTATION_DELETION):
        return None
    if not isinstance(facts.deletion, Receipt):
        return deny("ReceiptForged", f"only the webhooks may write {ANNOTATION_DELETION}")
    answer = _authorize(request, caller_of(facts.deletion), facts, rules)
    return None if answer.allowed else answer


def _explain_deletion(request: AdmissionRequest) -> str:
    plural = f"{request.kind.lower()}s"
    return (
        f"deleting {request.title} requires a token, which a DELETE request can't carry: first run "
        f"`kubectl annotate --overwrite {plural} {request.name} {ANNOTATION_DELETION}=yes "
        f"{ANNOTATION_TOKEN}=TOKEN`, then delete it within {DELETION_SECONDS // 60} minutes"
    )


def _is_expired(permit: Receipt, now: datetime.datetime) -> bool:
    return now.timestamp() - permit.issued_at > DELETION_SECONDS


def is_operators_model(request: AdmissionRequest, rules: Rules) -> bool:
    """Return whether the operator creates a Model, as it does for a ModelServe."""
    create = request.kind == "Model" and request.operation == Operation.CREATE
    token = ANNOTATION_TOKEN in request.annotations
    return create and not token and request.username == rules.operator != ""


def _keeps_receipt(request: AdmissionRequest) -> bool:
    now, before = request.annotations, request.old_annotations
    return all(now.get(key) == before.get(key) for key in _SIGNED)


def caller_of(receipt: Receipt) -> Caller:
    """Return the caller in a receipt."""
    return Caller(subject=receipt.subject, groups=receipt.groups, scopes=receipt.scopes)


def contract_facts(serve: ModelServe, caller: Caller, facts: Facts, rules: Rules) -> ContractFacts:
    """Return the facts of a ModelServe for the policy, without a contract."""
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


def _find_warnings(serve: ModelServe, facts: Facts, rules: Rules) -> tuple[str, ...]:
    # With `Deny`, an estimate that is too uncertain to deny a server still causes a warning.
    warns = rules.memory_fit != "Off"
    memory = memory_fit(serve, facts.model, rules.devices) if warns else None
    found = (
        *((memory,) if memory else ()),
        *input_warnings(serve, facts.model),
        *cache_type_warnings(serve, facts.model),
    )
    return tuple(f"{each.field}: {each.message}" for each in found)


def deny(reason: str, message: str, *, code: int = 403, subject: str = "") -> AdmissionAnswer:
    """Return a denial; a long message is truncated."""
    text = truncate(message, MAX_MESSAGE)
    return AdmissionAnswer(allowed=False, reason=reason, message=text, code=code, subject=subject)


def deny_for(violations: Iterable[Violation]) -> AdmissionAnswer:
    """Return a denial with all violations and the reason of the first."""
    found = tuple(violations)
    if not found:
        return deny("NoContract", "spec.contract is not set")
    parts = (f"{each.field}: {each.message}" if each.field else each.message for each in found)
    return deny(found[0].reason, "; ".join(map(truncate, parts)))


def _allow(reason: str) -> Validation:
    return Validation(answer=AdmissionAnswer(allowed=True, reason=reason))


def _deny(reason: str, message: str, subject: str = "", *, code: int = 403) -> Validation:
    return Validation(answer=deny(reason, message, code=code, subject=subject))


def _deny_receipt(fault: InvalidReceipt | None) -> Validation:
    if fault is None:
        return _deny("ReceiptMissing", "the object has no receipt: apply it with a token")
    return _deny(fault.reason, str(fault))
