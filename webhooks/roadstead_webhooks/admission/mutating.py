"""The mutating webhook's decision: the author of an object and its contract (pure)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Final

from roadstead.api.contract.contract_limits import Authorization
from roadstead.api.group import ANNOTATION_DELETION, ANNOTATION_RECEIPT, ANNOTATION_TOKEN
from roadstead.api.modelserve import ModelServe
from roadstead.errors import InvalidToken
from roadstead.excerpts import truncate
from roadstead.policy.contract.contract_choice import Choice, choose
from roadstead.policy.contract.contract_policy import Caller, authorizes, relevant
from roadstead.tokens.receipts import Receipt
from roadstead_webhooks.admission import reviewed_objects
from roadstead_webhooks.admission.facts import Facts, Rules
from roadstead_webhooks.admission.foreign import deny_oversized
from roadstead_webhooks.admission.misplaced import find_misplaced_token
from roadstead_webhooks.admission.offload import LARGE_EFFORT
from roadstead_webhooks.admission.requesters import Requester, requester_of
from roadstead_webhooks.admission.restoring import (
    check_earlier,
    check_restorer,
    is_restoration,
    restores_operators_model,
)
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest, Operation
from roadstead_webhooks.admission.server_identity import choose_server_id
from roadstead_webhooks.admission.validating import (
    caller_of,
    contract_facts,
    deny,
    deny_for,
    is_operators_model,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Author:
    """The caller in a new receipt, with only the groups and scopes that are checked later.

    Everyone who can read the object can read its receipt.
    """

    caller: Caller
    issuer: str
    account: str = ""
    """The ServiceAccount that requested it without a token; else empty."""
    restorer: str = ""
    """The user name of the restorer that creates the object with an earlier receipt."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mutation:
    """The changes to make to an object, or a denial."""

    denial: AdmissionAnswer | None = None
    author: Author | None = None
    """The author to sign a new receipt for; None keeps the old object's receipt."""
    deletion: Author | None = None
    """The author to sign a deletion permit for; None keeps the old object's permit."""
    contract: str = ""
    """The value to set `spec.contract` to."""
    server_id: str = ""
    """The server ID of a ModelServe; empty for a new one at its creation, else for none."""
    untouched: bool = False
    """Whether the request has no object to store."""
    warnings: tuple[str, ...] = ()


def mutate(request: AdmissionRequest, facts: Facts, rules: Rules) -> Mutation:
    """Decide on a request; never raises.

    Only holders of a valid token get a receipt, ServiceAccounts that need none, and restorers with
    a receipt from a backup.
    """
    mutation = _mutate(request, facts, rules)
    if mutation.denial or mutation.untouched:
        return mutation
    signs = mutation.author is not None
    restores = bool(mutation.author and mutation.author.restorer)
    chosen = choose_server_id(request, facts, signs=signs, restores=restores)
    if isinstance(chosen, AdmissionAnswer):
        return Mutation(denial=chosen)
    return dataclasses.replace(mutation, server_id=chosen)


def _mutate(request: AdmissionRequest, facts: Facts, rules: Rules) -> Mutation:
    if request.mismatch:
        return Mutation(denial=deny("RequestMismatch", request.mismatch, code=400))
    if request.operation == Operation.DELETE or request.subresource:
        return Mutation(untouched=True)
    if reviewed_objects.is_being_deleted(request) and reviewed_objects.is_unchanged(request):
        return Mutation(
            denial=deny_oversized(request), contract=reviewed_objects.kept_contract(request)
        )
    token, expired = facts.token, _is_expired_and_not_needed(request, facts)
    if isinstance(token, InvalidToken) and not expired:
        return Mutation(denial=deny(token.reason, f"{ANNOTATION_TOKEN}: {token}"))
    requester = requester_of(request, token, rules.accounts)
    if requester is None and request.effort > LARGE_EFFORT and _needs_token(request, rules):
        # Small objects are searched first, so that the message can name a misplaced token.
        return Mutation(denial=_deny_without_token(request))
    if large := deny_oversized(request):
        return Mutation(denial=large)
    given = str(request.annotations.get(ANNOTATION_TOKEN, ""))
    if path := find_misplaced_token(request.object, request.old, token=given):
        return Mutation(denial=_deny_misplaced(path))
    deletion = _deletion_author(request, requester, rules)
    if isinstance(deletion, AdmissionAnswer):
        return Mutation(denial=deletion)
    if reviewed_objects.is_unchanged(request):
        mutation = _mutate_unchanged(request, facts, rules, requester, deletion)
        return dataclasses.replace(mutation, warnings=_EXPIRED) if expired else mutation
    if requester is not None:
        return _mutate_changed(request, facts, rules, requester, deletion)
    if restores_operators_model(request, rules):
        return Mutation(denial=check_restorer(request, facts, rules))
    if is_restoration(request, rules):
        return _mutate_restored(request, facts, rules)
    if is_operators_model(request, rules):
        # No receipt: the user name is unproven here, so anyone who reaches this port could have a
        # receipt signed in the operator's name.
        return Mutation()
    return Mutation(denial=_deny_without_token(request))


def _is_expired_and_not_needed(request: AdmissionRequest, facts: Facts) -> bool:
    """Return whether an old manifest is applied again, whose token has expired since.

    The spec is unchanged, so nobody needs to be known; the token is removed like a valid one.
    """
    expired = isinstance(facts.token, InvalidToken) and facts.token.reason == "TokenExpired"
    kept = isinstance(facts.receipt, Receipt) and reviewed_objects.is_unchanged(request)
    return expired and kept and not _asks_for_deletion(request)


def _mutate_restored(request: AdmissionRequest, facts: Facts, rules: Rules) -> Mutation:
    if denial := check_restorer(request, facts, rules):
        return Mutation(denial=denial)
    earlier = check_earlier(request, facts)
    if isinstance(earlier, AdmissionAnswer):
        return Mutation(denial=earlier)
    author = Author(caller=caller_of(earlier), issuer=earlier.issuer, restorer=request.username)
    return Mutation(author=author)


def _mutate_unchanged(
    request: AdmissionRequest,
    facts: Facts,
    rules: Rules,
    requester: Requester | None,
    deletion: Author | None,
) -> Mutation:
    """Keep the old receipt, so that applying a manifest again changes nothing.

    If that receipt is invalid, as on an object that is older than the webhooks, a requester gets a
    new one.
    """
    is_valid = isinstance(facts.receipt, Receipt)
    contract = reviewed_objects.kept_contract(request)
    if is_valid or requester is None:
        return Mutation(deletion=deletion, contract=contract)
    named = contract or str(request.spec.get("contract") or "")
    checks = _authorizations(request, facts, rules, requester, contract=named)
    author = _author(requester, checks)
    return Mutation(author=author, deletion=deletion, contract=contract)


def _mutate_changed(
    request: AdmissionRequest,
    facts: Facts,
    rules: Rules,
    requester: Requester,
    deletion: Author | None,
) -> Mutation:
    if request.kind != "ModelServe" or not reviewed_objects.is_readable(request.object):
        # If the object is not readable, the schema rejects it next, with a better message.
        checks = _authorizations(request, facts, rules, requester)
        return Mutation(author=_author(requester, checks), deletion=deletion)
    serve = ModelServe.parse(request.object)
    choice = choose(facts.offers, contract_facts(serve, requester.caller, facts, rules))
    if choice.contract is None or _lacks_groups(choice, requester):
        return Mutation(denial=_deny_uncovered(choice, requester))
    name = choice.contract.meta.name
    author = _author(requester, _authorizations(request, facts, rules, requester, contract=name))
    return Mutation(author=author, deletion=deletion, contract=name)


def _lacks_groups(choice: Choice, requester: Requester) -> bool:
    """Return whether the token may be the cause; the receipt no longer shows that."""
    refused = any(each.reason == "NotAuthorized" for each in choice.violations)
    return refused and bool(requester.remarks)


def _deny_uncovered(choice: Choice, requester: Requester) -> AdmissionAnswer:
    denial = deny_for(choice.violations)
    advice = (remark.advice for remark in requester.remarks)
    message = "; ".join((denial.message, *advice))
    return deny(denial.reason, message, subject=requester.caller.subject)


def _authorizations(
    request: AdmissionRequest,
    facts: Facts,
    rules: Rules,
    requester: Requester,
    *,
    contract: str = "",
) -> Iterator[Authorization]:
    """Yield the authorizations that the author in a receipt is checked against."""
    if request.kind == "ModelServe":
        found = (each.contract for each in facts.offers if each.contract.meta.name == contract)
        yield from (each.authorization for each in found)
        return
    yield Authorization(groups=rules.admin_groups)
    if request.kind == "Model" and request.operation == Operation.CREATE:
        for offer in facts.offers:
            if authorizes(offer.contract, requester.caller, request.name):
                yield offer.contract.authorization


def _author(requester: Requester, checks: Iterable[Authorization]) -> Author:
    caller = relevant(requester.caller, checks)
    return Author(caller=caller, issuer=requester.issuer, account=requester.account)


def _asks_for_deletion(request: AdmissionRequest) -> bool:
    asked = request.annotations.get(ANNOTATION_DELETION)
    if not asked or request.kind == "ModelServe" or request.operation != Operation.UPDATE:
        return False
    return bool(asked != request.old_annotations.get(ANNOTATION_DELETION))


def _deletion_author(
    request: AdmissionRequest, requester: Requester | None, rules: Rules
) -> Author | AdmissionAnswer | None:
    if not _asks_for_deletion(request):
        return None
    # A ServiceAccount deletes without a permit.
    if requester is None or requester.account:
        message = f"{ANNOTATION_DELETION} requires a token in {ANNOTATION_TOKEN}"
        return deny("TokenMissing", message)
    return _author(requester, [Authorization(groups=rules.admin_groups)])


def _deny_without_token(request: AdmissionRequest) -> AdmissionAnswer:
    creates = request.operation == Operation.CREATE
    action = "creating" if creates else "changing the spec of"
    return deny(
        "TokenMissing",
        f"{action} {request.title} requires a token: set the annotation {ANNOTATION_TOKEN}; "
        "`roadstead token issue` issues a token if you have the key",
    )


def _needs_token(request: AdmissionRequest, rules: Rules) -> bool:
    free = is_operators_model(request, rules) or is_restoration(request, rules)
    return not reviewed_objects.is_unchanged(request) and not free


_EXPIRED: Final = (
    f"{ANNOTATION_TOKEN}: the token has expired and was ignored, since the spec is unchanged; "
    "remove it from the manifest",
)


def _deny_misplaced(path: str) -> AdmissionAnswer:
    return deny(
        "TokenMisplaced",
        f"{truncate(path)} seems to contain a token, which would be stored: put tokens only into "
        f"the annotation {ANNOTATION_TOKEN} (the webhooks write {ANNOTATION_RECEIPT}). Treat this "
        "token as leaked",
    )
