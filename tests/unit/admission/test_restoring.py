"""Decisions on objects from a backup, given the facts."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from roadstead.errors import InvalidReceipt
from roadstead_webhooks.admission.mutating import mutate
from roadstead_webhooks.admission.restorers import Restorer
from roadstead_webhooks.admission.review import AdmissionRequest
from roadstead_webhooks.admission.validating import validate
from tests.support.builders.reviews import NOW, RULES, claims, facts, receipt, request, thing

VELERO = "system:serviceaccount:velero:velero"
UNTIL = NOW + datetime.timedelta(hours=1)
RESTORING = dataclasses.replace(RULES, restorers=(Restorer(username=VELERO, until=UNTIL),))
LATE = dataclasses.replace(RULES, restorers=(Restorer(username=VELERO, until=NOW),))
RECEIPT = "model.example.com/receipt"
SERVER_ID = "model.example.com/server-id"
MADE_FOR = "model.example.com/made-for"
ID = "0d9b3c1e-5a6f-4f0e-8c64-3f6f9f1f2a77"
PLAIN = {"source": {"quant": {"modelId": "one"}}, "format": "gguf", "deletionPolicy": "Retain"}


def restored(kind: str = "ModelServe", *, spec: Any = None, **annotations: str) -> AdmissionRequest:
    found = {RECEIPT: "r", **annotations}
    return request(
        "CREATE",
        thing(kind, spec=spec, annotations=found),
        kind=kind,
        userInfo={"username": VELERO},
    )


def operators_model(spec: Any) -> AdmissionRequest:
    body = thing("Model", spec=spec, annotations={MADE_FOR: "demo/gemma"})
    return request("CREATE", body, kind="Model", userInfo={"username": VELERO})


def test_restored_object_has_the_earlier_author_and_its_restorer() -> None:
    asked = restored()
    author = mutate(asked, facts(earlier=receipt(asked)), RESTORING).author
    assert author is not None
    assert (author.caller.subject, author.restorer) == ("alice", VELERO)


def test_restorer_without_a_valid_receipt_is_denied() -> None:
    forged = InvalidReceipt("not ours", reason="ReceiptForged")
    denial = mutate(restored(), facts(earlier=forged), RESTORING).denial
    assert denial is not None
    assert denial.reason == "ReceiptForged"


def test_server_without_an_id_gets_the_uid_in_its_receipt() -> None:
    asked = restored()
    earlier = receipt(asked)
    earlier = dataclasses.replace(earlier, binding=dataclasses.replace(earlier.binding, uid=ID))
    assert mutate(asked, facts(earlier=earlier), RESTORING).server_id == ID


def test_restored_server_whose_id_is_taken_is_denied() -> None:
    asked = restored(**{SERVER_ID: ID})
    known = facts(earlier=receipt(asked), claimant="demo/other")
    denial = mutate(asked, known, RESTORING).denial
    assert denial is not None
    assert denial.reason == "ServerIdTaken"


def test_text_that_is_no_server_id_is_not_restored() -> None:
    asked = restored(**{SERVER_ID: "x" * 5000})
    denial = mutate(asked, facts(earlier=receipt(asked)), RESTORING).denial
    assert denial is not None
    assert denial.reason == "ServerIdNotTaken"


def test_receipt_for_one_restorer_is_not_used_by_another_caller() -> None:
    asked = restored()
    known = facts(receipt=receipt(asked, restorer="somebody"))
    assert validate(asked, known, RESTORING).answer.reason == "ReceiptForged"


def test_restored_server_is_reported_as_restored() -> None:
    asked = restored()
    known = facts(receipt=receipt(asked, restorer=VELERO))
    assert validate(asked, known, RESTORING).answer.reason == "Restored"


def test_model_that_the_operator_had_created_is_restored_as_it_was() -> None:
    asked = operators_model(PLAIN)
    assert mutate(asked, facts(), RESTORING).denial is None
    assert validate(asked, facts(), RESTORING).answer.reason == "Restored"


def test_model_without_a_receipt_is_restored_from_no_other_source() -> None:
    other = operators_model({**PLAIN, "source": {"quant": {"modelId": "two"}}})
    assert validate(other, facts(), RESTORING).answer.reason == "ReceiptMissing"


def test_restorer_of_a_model_without_a_receipt_is_denied_after_its_time() -> None:
    denial = mutate(operators_model(PLAIN), facts(), LATE).denial
    assert denial is not None
    assert denial.reason == "RestorerExpired"


def test_restorer_with_a_token_creates_as_its_holder() -> None:
    asked = restored(**{"model.example.com/auth-token": "t"})
    author = mutate(asked, facts(token=claims()), RESTORING).author
    assert author is not None
    assert author.restorer == ""


def test_server_from_before_server_ids_keeps_its_uid_with_its_next_receipt() -> None:
    old = thing(uid=ID)
    new = {**old, "spec": {**old["spec"], "replicas": 2}}
    changed = mutate(request("UPDATE", new, old), facts(token=claims()), RULES)
    kept = mutate(
        request("UPDATE", old, old), facts(receipt=receipt(request("CREATE", old))), RULES
    )
    assert (changed.server_id, kept.server_id) == (ID, "")
