"""What becomes of an object before it is stored: who asked for it, and under which contract."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from roadstead.api.contract_limits import Authorization
from roadstead.api.group import ANNOTATION_DELETION, ANNOTATION_RECEIPT, ANNOTATION_TOKEN
from roadstead.api.modelserve import ModelServe
from roadstead.errors import InvalidToken
from roadstead.policy.contract_choice import Choice, choose
from roadstead.policy.contract_policy import Caller, authorizes, relevant
from roadstead.tokens.claims import Claims
from roadstead.tokens.receipts import Receipt
from roadstead_webhooks.admission import reviewed_objects
from roadstead_webhooks.admission.facts import Facts, Rules
from roadstead_webhooks.admission.foreign import too_much
from roadstead_webhooks.admission.misplaced import misplaced
from roadstead_webhooks.admission.offload import LARGE
from roadstead_webhooks.admission.request_text import cut
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest, Operation
from roadstead_webhooks.admission.validating import (
    contract_facts,
    denied,
    deny_for,
    is_operators_model,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Author:
    """Whom a new receipt is to name: with the groups and scopes alone that are checked later.

    Whoever may read the object reads its receipt too.
    """

    caller: Caller
    issuer: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mutation:
    """What is to be done to the object, unless `denial` says that it is refused."""

    denial: AdmissionAnswer | None = None
    author: Author | None = None
    """Sign a new receipt; without one the old object's stays."""
    deletion: Author | None = None
    """Sign a leave to delete; without one the old object's stays."""
    contract: str = ""
    """Fill in `spec.contract`."""
    untouched: bool = False
    """The request has no object that is stored."""


def mutate(request: AdmissionRequest, facts: Facts, rules: Rules) -> Mutation:
    """Pure; never raises. A receipt is only ever promised to the holder of a valid token."""
    if request.mismatch:
        return Mutation(denial=denied("RequestMismatch", request.mismatch, code=400))
    if request.operation == Operation.DELETE or request.subresource:
        return Mutation(untouched=True)
    if reviewed_objects.going(request) and reviewed_objects.unchanged(request):
        return Mutation(contract=reviewed_objects.kept_contract(request))
    token = facts.token
    if isinstance(token, InvalidToken):
        return Mutation(denial=denied(token.reason, f"{ANNOTATION_TOKEN}: {token}"))
    if token is None and request.effort > LARGE and _needs_token(request, rules):
        # A small one is searched all the same, to tell its sender where the token is instead.
        return Mutation(denial=_no_token(request))
    if large := too_much(request):
        return Mutation(denial=large)
    given = str(request.annotations.get(ANNOTATION_TOKEN, ""))
    if where := misplaced(request.object, request.old, token=given):
        return Mutation(denial=_misplaced(where))
    deletion = _deletion(request, token, rules)
    if isinstance(deletion, AdmissionAnswer):
        return Mutation(denial=deletion)
    if reviewed_objects.unchanged(request):
        return _unchanged(request, facts, rules, deletion)
    if isinstance(token, Claims):
        return _authored(request, facts, rules, token, deletion)
    if is_operators_model(request, rules):
        # Without a receipt: Kubernetes vouches for the operator only to the API server, so
        # whoever else could reach this port would get one signed in its name.
        return Mutation()
    return Mutation(denial=_no_token(request))


def _unchanged(
    request: AdmissionRequest, facts: Facts, rules: Rules, deletion: Author | None
) -> Mutation:
    """The old receipt stays, so that applying a manifest again is no change.

    Unless it doesn't hold, as of an object that is older than the webhooks: then a valid token
    gets it a new one.
    """
    held = isinstance(facts.receipt, Receipt)
    contract = reviewed_objects.kept_contract(request)
    if held or not isinstance(facts.token, Claims):
        return Mutation(deletion=deletion, contract=contract)
    named = contract or str(request.spec.get("contract") or "")
    author = _author(facts.token, _checks(request, facts, rules, contract=named))
    return Mutation(author=author, deletion=deletion, contract=contract)


def _authored(
    request: AdmissionRequest, facts: Facts, rules: Rules, token: Claims, deletion: Author | None
) -> Mutation:
    if request.kind != "ModelServe" or not reviewed_objects.readable(request.object):
        # What is not readable is refused by the schema in a moment, in better words.
        return Mutation(author=_author(token, _checks(request, facts, rules)), deletion=deletion)
    serve = ModelServe.parse(request.object)
    choice = choose(facts.offers, contract_facts(serve, _caller(token), facts, rules))
    if choice.contract is None or _lacks_groups(choice, token):
        return Mutation(denial=_not_covered(choice, token))
    name = choice.contract.meta.name
    author = _author(token, _checks(request, facts, rules, contract=name))
    return Mutation(author=author, deletion=deletion, contract=name)


def _lacks_groups(choice: Choice, token: Claims) -> bool:
    """Whether the token may be why; the validating webhook sees the receipt, which can't tell."""
    refused = any(each.reason == "NotAuthorized" for each in choice.violations)
    return refused and bool(token.remarks)


def _not_covered(choice: Choice, token: Claims) -> AdmissionAnswer:
    denial = deny_for(choice.violations)
    advice = (remark.advice for remark in token.remarks)
    message = "; ".join((denial.message, *advice))
    return denied(denial.reason, message, subject=token.subject)


def _checks(
    request: AdmissionRequest, facts: Facts, rules: Rules, *, contract: str = ""
) -> Iterator[Authorization]:
    """What the author of an object is held against once it has its receipt."""
    if request.kind == "ModelServe":
        found = (each.contract for each in facts.offers if each.contract.meta.name == contract)
        yield from (each.authorization for each in found)
        return
    yield Authorization(groups=rules.admin_groups)
    if (
        request.kind == "Model"
        and request.operation == Operation.CREATE
        and isinstance(facts.token, Claims)
    ):
        caller = _caller(facts.token)
        for offer in facts.offers:
            if authorizes(offer.contract, caller, request.name):
                yield offer.contract.authorization


def _caller(claims: Claims) -> Caller:
    return Caller(subject=claims.subject, groups=claims.groups, scopes=claims.scopes)


def _author(claims: Claims, checks: Iterable[Authorization]) -> Author:
    return Author(caller=relevant(_caller(claims), checks), issuer=claims.issuer)


def _deletion(
    request: AdmissionRequest, token: Claims | InvalidToken | None, rules: Rules
) -> Author | AdmissionAnswer | None:
    asked = request.annotations.get(ANNOTATION_DELETION)
    if not asked or request.kind == "ModelServe" or request.operation != Operation.UPDATE:
        return None
    if asked == request.old_annotations.get(ANNOTATION_DELETION):
        return None
    if not isinstance(token, Claims):
        message = f"{ANNOTATION_DELETION} needs a token beside it, in {ANNOTATION_TOKEN}"
        return denied("TokenMissing", message)
    return _author(token, [Authorization(groups=rules.admin_groups)])


def _no_token(request: AdmissionRequest) -> AdmissionAnswer:
    what = "is created" if request.operation == Operation.CREATE else "gets another spec"
    return denied(
        "TokenMissing",
        f"{request.title} {what} only with a token: put one into the annotation "
        f"{ANNOTATION_TOKEN}; `roadstead token issue` makes one where you have the key",
    )


def _needs_token(request: AdmissionRequest, rules: Rules) -> bool:
    return not reviewed_objects.unchanged(request) and not is_operators_model(request, rules)


def _misplaced(where: str) -> AdmissionAnswer:
    return denied(
        "TokenMisplaced",
        f"{cut(where)} holds what looks like a token, and would be stored with it: a token belongs "
        f"into the annotation {ANNOTATION_TOKEN} and nowhere else ({ANNOTATION_RECEIPT} is not "
        "yours to write). Consider that token known to others",
    )
