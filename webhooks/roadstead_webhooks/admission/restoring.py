"""The creation of an object from a backup by a restorer, in place of a token (pure).

A restorer decides nothing: it may create what an earlier receipt states, for the same name,
namespace, spec and contract. The new receipt has the earlier author, and names the restorer.
"""

from __future__ import annotations

from roadstead.api.group import ANNOTATION_RECEIPT, ANNOTATION_TOKEN
from roadstead.api.raw import timestamp
from roadstead.errors import InvalidReceipt
from roadstead.manifests.names import ANNOTATION_MADE_FOR
from roadstead.tokens.receipts import Receipt
from roadstead_webhooks.admission import reviewed_objects
from roadstead_webhooks.admission.facts import Facts, Rules
from roadstead_webhooks.admission.restorers import find_restorer
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest, Operation

RESTORED = "Restored"
"""The reason of an admission by a restorer, in metrics, Events and the ledger."""


def is_restoration(request: AdmissionRequest, rules: Rules) -> bool:
    """Whether a restorer, whose time may be over, creates an object without a token."""
    create = request.operation == Operation.CREATE and not request.subresource
    token = ANNOTATION_TOKEN in request.annotations
    return create and not token and find_restorer(rules.restorers, request.username) is not None


def restores_operators_model(request: AdmissionRequest, rules: Rules) -> bool:
    """Whether a restorer creates a Model that the operator had created, without a receipt."""
    made_for = request.annotations.get(ANNOTATION_MADE_FOR)
    receipt = request.annotations.get(ANNOTATION_RECEIPT)
    is_model = request.kind == "Model" and bool(made_for) and not receipt
    return is_model and is_restoration(request, rules)


def check_restorer(request: AdmissionRequest, facts: Facts, rules: Rules) -> AdmissionAnswer | None:
    """Return a denial if the restorer's time is over; else None."""
    restorer = find_restorer(rules.restorers, request.username)
    if restorer is not None and not restorer.is_over(facts.now):
        return None
    until = timestamp(restorer.until) if restorer else "never"
    return _deny(
        "RestorerExpired",
        f"{request.username} could restore objects until {until}: set tokens.restorers to a later "
        "time, or create the object with a token",
    )


def check_earlier(request: AdmissionRequest, facts: Facts) -> Receipt | AdmissionAnswer:
    """Return the receipt that the object is restored with, or a denial."""
    earlier = facts.earlier
    if isinstance(earlier, InvalidReceipt) or earlier is None:
        reason = earlier.reason if earlier else "ReceiptMissing"
        why = str(earlier) if earlier else "the object has no receipt: create it with a token"
        return _deny(reason, why)
    if earlier.binding.spec_digest != reviewed_objects.binding(request, request.object).spec_digest:
        message = "the receipt is for another spec: restore the object unchanged"
        return _deny("ReceiptOtherSpec", message, earlier.subject)
    return earlier


def _deny(reason: str, message: str, subject: str = "") -> AdmissionAnswer:
    return AdmissionAnswer(allowed=False, reason=reason, message=message, subject=subject)
