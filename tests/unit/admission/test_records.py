"""Which answers are recorded, and their rows."""

import datetime
from typing import Any

import pytest

from roadstead.ledger.outbox import Outbox
from roadstead.ledger.records import AdmissionRecord
from roadstead_webhooks.admission.admission_records import ADMITTED, AdmissionRecords
from roadstead_webhooks.admission.admission_records import DENIED as DENIED_RATES
from roadstead_webhooks.admission.rates import Rate
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest, Operation

OPERATOR = "system:serviceaccount:roadstead-system:roadstead-operator"
DENIED = AdmissionAnswer(allowed=False, reason="OverTotal", message="too much", subject="alice")
ALLOWED = AdmissionAnswer(allowed=True, reason="Allowed", subject="alice")


def make_request(**given: Any) -> AdmissionRequest:
    """Return a request to create ModelServe demo/gemma."""
    found: dict[str, Any] = {
        "uid": "0a1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f",
        "operation": Operation.CREATE,
        "kind": "ModelServe",
        "subresource": "",
        "namespace": "demo",
        "name": "gemma",
        "username": "kubernetes-admin",
        "dry_run": False,
        "object": {"spec": {"contract": "demo"}},
        "old": {},
    }
    return AdmissionRequest(**{**found, **given})


def noted(webhook: str, answer: AdmissionAnswer, **given: Any) -> list[AdmissionRecord]:
    """Return the records of one answer."""
    outbox = Outbox(lambda: 0.0)
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    records = AdmissionRecords(outbox, clock=lambda: moment, operator=OPERATOR)
    records.note(webhook, make_request(**given), answer)
    return [each.record for each in outbox.take(10) if isinstance(each.record, AdmissionRecord)]


@pytest.mark.parametrize("webhook", ["mutating", "validating"])
def test_denial_is_recorded(webhook: str) -> None:
    (found,) = noted(webhook, DENIED)
    assert (found.allowed, found.reason, found.message) == (False, "OverTotal", "too much")
    assert (found.subject, found.username, found.contract) == ("alice", "kubernetes-admin", "demo")


def test_admission_is_recorded_once() -> None:
    assert noted("mutating", ALLOWED) == []
    assert len(noted("validating", ALLOWED)) == 1


def test_request_without_a_decision_is_not_recorded() -> None:
    assert noted("validating", AdmissionAnswer(allowed=True, reason="Unchanged")) == []


def test_dry_run_is_not_recorded() -> None:
    assert noted("validating", DENIED, dry_run=True) == []


def test_request_of_the_operator_is_not_recorded() -> None:
    assert noted("validating", ALLOWED, username=OPERATOR) == []


@pytest.mark.parametrize("given", [{"mismatch": "they disagree"}, {"reviewed": False}])
@pytest.mark.parametrize("answer", [DENIED, ALLOWED])
def test_inconsistent_request_is_not_recorded(
    answer: AdmissionAnswer, given: dict[str, Any]
) -> None:
    assert noted("validating", answer, **given) == []


def kept(answer: AdmissionAnswer, *namespaces: str) -> int:
    """Return how many of these simultaneous answers are recorded."""
    outbox = Outbox(lambda: 0.0)
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    records = AdmissionRecords(outbox, clock=lambda: moment, operator=OPERATOR, passing=lambda: 0.0)
    for namespace in namespaces:
        records.note("validating", make_request(namespace=namespace), answer)
    return len(outbox)


@pytest.mark.parametrize(("answer", "rates"), [(ALLOWED, ADMITTED), (DENIED, DENIED_RATES)])
def test_records_are_limited_per_namespace_and_in_total(
    answer: AdmissionAnswer, rates: tuple[Rate, Rate]
) -> None:
    each, total = rates
    assert kept(answer, *["demo"] * (each.burst + 9)) == each.burst
    many = [f"n{number}" for number in range(total.burst + 9)]
    assert kept(answer, *many) == total.burst


def test_denials_do_not_use_up_the_rate_of_admissions() -> None:
    outbox = Outbox(lambda: 0.0)
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    records = AdmissionRecords(outbox, clock=lambda: moment, operator=OPERATOR)
    for _ in range(DENIED_RATES[0].burst * 2):
        records.note("validating", make_request(), DENIED)
    before = len(outbox)
    records.note("validating", make_request(), ALLOWED)
    assert len(outbox) == before + 1


def test_token_in_a_message_is_not_recorded() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
    answer = AdmissionAnswer(allowed=False, reason="TokenMisplaced", message=f"it holds {token}")
    assert token not in noted("validating", answer)[0].message


def test_uid_that_is_not_a_uuid_is_hashed_to_one() -> None:
    one, other = (noted("validating", DENIED, uid=each)[0].request_uid for each in ("a", "b"))
    assert one != other
