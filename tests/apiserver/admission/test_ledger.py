"""The webhooks' answers are in the ledger; an outage of Postgres does not affect them."""

from __future__ import annotations

from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.custom_objects import create, refusal
from tests.support.ledger import Ledger
from tests.support.waiting import assert_eventually
from tests.support.webhooks.tokens import contract_for, with_token

OF = "SELECT * FROM admission_records WHERE namespace = $1 ORDER BY decided_at"


async def test_denials_and_admissions_are_recorded_with_subject_and_reason(
    api: client.ApiClient, namespace: str, token: MakeToken, contract: Raw, ledger: Ledger
) -> None:
    name = contract["metadata"]["name"]
    await refusal(create(api, make_modelserve(namespace)))
    await refusal(create(api, with_token(make_modelserve(namespace), token("trudy", "nobody"))))
    await create(api, with_token(make_modelserve(namespace), token("alice")))
    await assert_eventually(lambda: _count(ledger, namespace, 3))
    missing, refused, admitted = await ledger.rows(OF, namespace)
    assert (missing["reason"], missing["allowed"]) == ("TokenMissing", False)
    assert (refused["reason"], refused["subject"]) == ("NoContract", "trudy")
    assert (admitted["allowed"], admitted["subject"]) == (True, "alice")
    assert admitted["contract"] == name


async def test_outage_of_postgres_delays_no_admission(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str, ledger: Ledger
) -> None:
    ledger.server.kill()
    await create(api, with_token(contract_for(namespace), admin))
    await create(api, with_token(make_modelserve(namespace), token()))
    ledger.server.start()
    await assert_eventually(lambda: _count(ledger, namespace, 1))


async def _count(ledger: Ledger, namespace: str, rows: int) -> bool:
    found = await ledger.rows(OF, namespace)
    assert len(found) == rows, found
    return True
