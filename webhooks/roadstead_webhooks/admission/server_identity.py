"""Which server ID a ModelServe gets or keeps (pure): immutable, and of one server at a time."""

from __future__ import annotations

from roadstead.api.group import ANNOTATION_SERVER_ID
from roadstead.api.raw import Metadata
from roadstead.api.server_ids import given_server_id, is_server_id
from roadstead.tokens.claims import Claims
from roadstead.tokens.receipts import Receipt
from roadstead_webhooks.admission import reviewed_objects
from roadstead_webhooks.admission.facts import Facts
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest, Operation


def choose_server_id(
    request: AdmissionRequest, facts: Facts, *, signs: bool, restores: bool = False
) -> str | AdmissionAnswer:
    """Return the server ID to store, or a denial; empty for a new one, or for none.

    `signs`: the object gets a new receipt. `restores`: a restorer creates it.
    """
    if request.kind != "ModelServe":
        return ""
    if request.operation == Operation.CREATE:
        return _choose_at_creation(request, facts, restores=restores)
    old = Metadata.parse(request.old)
    before, given = given_server_id(old), request.annotations.get(ANNOTATION_SERVER_ID)
    if given not in (None, before or old.uid) and not reviewed_objects.is_being_deleted(request):
        return _deny_change(before or old.uid)
    if signs and facts.claimant and not isinstance(facts.receipt, Receipt):
        # No receipt proves that the ID is this server's: the webhooks were bypassed.
        return _deny_taken(before, facts.claimant)
    return before or (old.uid if signs and is_server_id(old.uid) else "")


def check_server_id(request: AdmissionRequest, facts: Facts) -> AdmissionAnswer | None:
    """Return a denial if the object to store has a changed or a taken server ID; else None."""
    if request.kind != "ModelServe":
        return None
    given = str(request.annotations.get(ANNOTATION_SERVER_ID, ""))
    if request.operation == Operation.CREATE:
        if given and not is_server_id(given):
            return _deny_given()
        return _deny_taken(given, facts.claimant) if given and facts.claimant else None
    old = Metadata.parse(request.old)
    before = given_server_id(old)
    if given == before or (not before and given == old.uid):
        return None
    return _deny_change(before or old.uid)


def _choose_at_creation(
    request: AdmissionRequest, facts: Facts, *, restores: bool
) -> str | AdmissionAnswer:
    """Return the ID that the object has, if an earlier receipt of the same caller has it too."""
    given = str(request.annotations.get(ANNOTATION_SERVER_ID, ""))
    earlier = facts.earlier
    if not given and not (restores and isinstance(earlier, Receipt)):
        return ""
    wanted = given or (earlier.binding.uid if isinstance(earlier, Receipt) else "")
    if given and not is_server_id(given):
        return _deny_given()
    if facts.claimant and wanted:
        return _deny_taken(wanted, facts.claimant)
    if isinstance(earlier, Receipt) and (restores or _is_author(facts.token, earlier)):
        return wanted
    return _deny_given()


def _deny_given() -> AdmissionAnswer:
    return AdmissionAnswer(
        allowed=False,
        reason="ServerIdNotTaken",
        message=f"{ANNOTATION_SERVER_ID} is given by the webhooks, and kept only together with a "
        "receipt of the same object and caller: remove both annotations, for a new address",
    )


def _is_author(token: object, earlier: Receipt) -> bool:
    if not isinstance(token, Claims):
        return False
    return (token.subject, token.issuer) == (earlier.subject, earlier.issuer)


def _deny_taken(server_id: str, claimant: str) -> AdmissionAnswer:
    return AdmissionAnswer(
        allowed=False,
        reason="ServerIdTaken",
        message=f"server ID {server_id} belongs to ModelServe {claimant}: remove the annotation "
        f"{ANNOTATION_SERVER_ID}, for an address of its own",
    )


def _deny_change(server_id: str) -> AdmissionAnswer:
    return AdmissionAnswer(
        allowed=False,
        reason="ServerIdChanged",
        message=f"{ANNOTATION_SERVER_ID} can't be changed: remove it from the manifest, or set it "
        f"to {server_id}",
    )
