"""Objects from a backup: a restorer's in place of a token, and what hostile callers try."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes.aio import client

from dev.servers.apiclient import connect
from dev.servers.apiserver import ApiServer
from roadstead.api.stored_content import StoredContent
from tests.apiserver.admission.conftest import LATE_RESTORER, RESTORER, MakeToken
from tests.support.builders.objects import Raw, make_model, make_modelserve
from tests.support.custom_objects import call, create, delete, get, patch, path, refusal
from tests.support.ledger import Ledger
from tests.support.velero import restored
from tests.support.waiting import assert_eventually
from tests.support.webhooks.tokens import RECEIPT, TOKEN, with_annotations, with_token

SERVER_ID = "model.example.com/server-id"
STORED = "model.example.com/stored-object"
OTHER_ID = "0d9b3c1e-5a6f-4f0e-8c64-3f6f9f1f2a77"


async def _acting_as(server: ApiServer, user: str) -> AsyncIterator[client.ApiClient]:
    """A client that RBAC allows everything, and that the API server calls `user`."""
    async with connect(server) as api:
        api.set_default_header("Impersonate-User", user)
        api.set_default_header("Impersonate-Group", "system:masters")
        yield api


@pytest.fixture
async def restorer(apiserver: ApiServer) -> AsyncIterator[client.ApiClient]:
    """A client of the restorer, whose time is not over."""
    async for api in _acting_as(apiserver, RESTORER):
        yield api


@pytest.fixture
async def late(apiserver: ApiServer) -> AsyncIterator[client.ApiClient]:
    """A client of a restorer whose time is over."""
    async for api in _acting_as(apiserver, LATE_RESTORER):
        yield api


@pytest.fixture
async def lost(api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken) -> Raw:
    """Return a server that was changed once, as a backup has it, and that is deleted."""
    body = make_modelserve(namespace)
    made = await create(api, with_token(body, token()))
    change: Raw = {
        "metadata": {"annotations": {TOKEN: token()}},
        "spec": {"runtimeParams": {"parallel": 2}},
    }
    stored = await patch(api, made, change)
    await delete(api, stored)
    return restored(stored)


def annotation(stored: Raw, name: str) -> str:
    return str(stored["metadata"]["annotations"][name])


async def test_each_server_gets_an_id_of_its_own(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    one = await create(api, with_token(make_modelserve(namespace), token()))
    other = await create(api, with_token(make_modelserve(namespace), token()))
    found = {annotation(each, SERVER_ID) for each in (one, other)}
    assert len(found | {each["metadata"]["uid"] for each in (one, other)}) == 4


async def test_restorer_brings_a_server_back_with_its_id_and_its_author(
    api: client.ApiClient, restorer: client.ApiClient, lost: Raw, ledger: Ledger
) -> None:
    back = await create(restorer, lost)
    assert annotation(back, SERVER_ID) == annotation(lost, SERVER_ID)
    assert annotation(back, RECEIPT) != annotation(lost, RECEIPT)
    await patch(api, back, {"metadata": {"labels": {"a": "b"}}})
    select = "SELECT * FROM admission_records WHERE name = $1 AND reason = 'Restored'"

    async def recorded() -> Any:
        return await ledger.rows(select, lost["metadata"]["name"])

    await assert_eventually(recorded)
    row = (await recorded())[0]
    assert (row["username"], row["subject"], row["allowed"]) == (RESTORER, "alice", True)


async def test_restored_server_is_reserved_under_its_contract(
    restorer: client.ApiClient, api: client.ApiClient, lost: Raw, contract: Raw, admin: str
) -> None:
    none = {"metadata": {"annotations": {TOKEN: admin}}, "spec": {"total": {"replicas": 0}}}
    await patch(api, contract, none)
    assert "replicas" in await refusal(create(restorer, lost))


async def test_nobody_else_restores(api: client.ApiClient, lost: Raw) -> None:
    assert "requires a token" in await refusal(create(api, lost))


async def test_restorer_after_its_time_is_denied(late: client.ApiClient, lost: Raw) -> None:
    assert "RestorerExpired" in await refusal(create(late, lost))


async def test_restorer_needs_the_receipt_of_the_same_object(
    restorer: client.ApiClient, lost: Raw
) -> None:
    meta = {**lost["metadata"], "name": "another"}
    assert "ReceiptOtherObject" in await refusal(create(restorer, {**lost, "metadata": meta}))


async def test_restorer_needs_the_receipt_of_the_same_server_id(
    restorer: client.ApiClient, lost: Raw
) -> None:
    forged = with_annotations(lost, {SERVER_ID: OTHER_ID})
    assert "ReceiptOtherObject" in await refusal(create(restorer, forged))


async def test_restorer_needs_the_receipt_of_the_same_spec(
    restorer: client.ApiClient, lost: Raw
) -> None:
    changed = {**lost, "spec": {**lost["spec"], "modelName": "larger"}}
    assert "ReceiptOtherSpec" in await refusal(create(restorer, changed))


async def test_restorer_can_change_nothing(restorer: client.ApiClient, lost: Raw) -> None:
    back = await create(restorer, lost)
    change = {"spec": {"modelName": "larger"}}
    assert "requires a token" in await refusal(patch(restorer, back, change))


async def test_the_same_caller_keeps_the_address_of_a_server_that_is_created_again(
    api: client.ApiClient, lost: Raw, token: MakeToken
) -> None:
    back = await create(api, with_token(lost, token()))
    assert annotation(back, SERVER_ID) == annotation(lost, SERVER_ID)


async def test_another_caller_does_not_take_over_an_address(
    api: client.ApiClient, lost: Raw, token: MakeToken
) -> None:
    message = await refusal(create(api, with_token(lost, token("oscar"))))
    assert "ServerIdNotTaken" in message


async def test_second_claimant_of_a_server_id_is_denied(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    one = await create(api, with_token(make_modelserve(namespace), token()))
    for claimed in (annotation(one, SERVER_ID), one["metadata"]["uid"]):
        body = with_annotations(make_modelserve(namespace), {SERVER_ID: claimed})

        async def taken(body: Raw = body) -> bool:
            # The webhooks may not have the first server from their watch yet.
            return "ServerIdTaken" in await refusal(create(api, with_token(body, token())))

        await assert_eventually(taken)


async def test_server_id_cannot_be_changed_and_is_not_lost(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    one = await create(api, with_token(make_modelserve(namespace), token()))
    change = {"metadata": {"annotations": {SERVER_ID: OTHER_ID}}}
    assert "ServerIdChanged" in await refusal(patch(api, one, change))
    removed = await patch(api, one, {"metadata": {"annotations": {SERVER_ID: None}}})
    assert annotation(removed, SERVER_ID) == annotation(one, SERVER_ID)


async def test_only_backups_and_the_operator_state_where_a_model_is(
    api: client.ApiClient, restorer: client.ApiClient, admin: str
) -> None:
    model = await create(api, with_token(make_model(), admin))
    name = model["metadata"]["name"]
    content = StoredContent(path=f"{name}/{OTHER_ID}.gguf", sha256="a" * 64, spec="b" * 64)
    claim = {STORED: content.to_text()}
    changed = await patch(api, model, {"metadata": {"annotations": claim}})
    assert STORED not in changed["metadata"]["annotations"]
    await call(api, "DELETE", path(await _permitted(api, model, admin)))
    back = await create(restorer, with_annotations(restored(model), claim))
    assert annotation(back, STORED) == claim[STORED]


async def _permitted(api: client.ApiClient, body: Raw, admin: str) -> Raw:
    asked = {TOKEN: admin, "model.example.com/deletion": "yes"}
    await patch(api, body, {"metadata": {"annotations": asked}})
    return await get(api, body)
