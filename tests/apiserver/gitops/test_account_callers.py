"""A ServiceAccount of the list creates, changes and deletes objects without a token."""

from __future__ import annotations

import base64
import json
from typing import Any

import aiohttp
import pytest
from kubernetes.aio import client

from tests.apiserver.conftest import Kubectl
from tests.apiserver.gitops.conftest import APPLIER, REQUESTED_BY, RESTORER, STRANGER, registered
from tests.support.builders.objects import (
    Raw,
    fresh_name,
    make_contract,
    make_model,
    make_modelserve,
)
from tests.support.builders.reviews import review
from tests.support.custom_objects import create, delete, get, patch, refusal
from tests.support.velero import restored
from tests.support.waiting import assert_eventually
from tests.support.webhooks.registration import unregister
from tests.support.webhooks.tokens import RECEIPT, TOKEN, dev_token, with_annotations, with_token
from tests.support.webhooks.webhook_process import Folder, WebhookProcess

SERVER_ID = "model.example.com/server-id"
CHANGE: Raw = {"spec": {"runtimeParams": {"seed": 7}}}


def annotations_of(body: Raw) -> dict[str, str]:
    found: dict[str, str] = body["metadata"]["annotations"]
    return found


def claims(body: Raw) -> dict[str, Any]:
    payload = annotations_of(body)[RECEIPT].split(".")[1]
    found: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return found


async def test_account_creates_a_server_in_its_own_name(serve: Raw) -> None:
    assert annotations_of(serve)[REQUESTED_BY] == APPLIER
    found = claims(serve)
    assert (found["sub"], found["groups"]) == (APPLIER, ["demo-users"])


async def test_account_changes_and_deletes_all_kinds_without_a_token(
    applier: client.ApiClient, contract: Raw, serve: Raw
) -> None:
    model = await create(applier, make_model())
    for body, change in (
        (serve, CHANGE),
        (model, {"spec": {"displayName": "a"}}),
        (contract, {"spec": {"models": ["gemma*"]}}),
    ):
        changed = await patch(applier, body, change)
        assert annotations_of(changed)[RECEIPT] != annotations_of(body)[RECEIPT]
    for body in (serve, contract, model):
        await delete(applier, body)


async def test_account_is_judged_against_the_contract(
    deployer: client.ApiClient, namespace: str, contract: Raw
) -> None:
    assert "NoContract" in await refusal(create(deployer, make_modelserve(namespace)))
    assert "NotAuthorized" in await refusal(create(deployer, make_contract()))
    assert "NotAuthorized" in await refusal(_deleted(deployer, contract))


async def _deleted(api: client.ApiClient, body: Raw) -> Raw:
    await delete(api, body)
    return body


async def test_another_account_with_the_same_manifest_is_denied(
    stranger: client.ApiClient, namespace: str, serve: Raw
) -> None:
    copied = {key: annotations_of(serve)[key] for key in (RECEIPT, REQUESTED_BY)}
    body = with_annotations(make_modelserve(namespace), copied)
    assert "TokenMissing" in await refusal(create(stranger, body))
    assert "TokenMissing" in await refusal(patch(stranger, serve, CHANGE))
    assert "TokenMissing" in await refusal(create(stranger, make_model()))


async def test_token_in_the_object_makes_its_holder_the_author(
    applier: client.ApiClient, serve: Raw, folder: Folder
) -> None:
    token = {"metadata": {"annotations": {TOKEN: dev_token(folder, "alice")}}}
    changed = await patch(applier, serve, {**token, **CHANGE})
    assert REQUESTED_BY not in annotations_of(changed)
    assert claims(changed)["sub"] == "alice"


async def test_server_of_an_account_is_restored_and_changed_by_it_again(
    applier: client.ApiClient, restorer: client.ApiClient, serve: Raw
) -> None:
    """The policy lets nobody else write the account's name, so the new receipt has none."""
    await delete(applier, serve)
    made = await create(restorer, restored(serve))
    assert REQUESTED_BY not in annotations_of(made)
    assert (claims(made)["sub"], claims(made)["restorer"]) == (APPLIER, RESTORER)
    assert annotations_of(made)[SERVER_ID] == annotations_of(serve)[SERVER_ID]
    assert annotations_of(await patch(applier, made, CHANGE))[REQUESTED_BY] == APPLIER


@pytest.mark.parametrize("name", [None, STRANGER, "alice"])
async def test_edited_author_is_restored(
    stranger: client.ApiClient, serve: Raw, name: str | None
) -> None:
    change = {"metadata": {"annotations": {REQUESTED_BY: name}, "labels": {"team": "a"}}}
    assert annotations_of(await patch(stranger, serve, change)) == annotations_of(serve)


async def test_impersonated_account_is_the_account(
    kubectl: Kubectl, api: client.ApiClient, namespace: str, contract: Raw
) -> None:
    body = make_modelserve(namespace)
    done = kubectl("create", "-f", "-", f"--as={APPLIER}", manifest=json.dumps(body))
    assert done.returncode == 0, done.stderr
    assert annotations_of(await get(api, body))[REQUESTED_BY] == APPLIER
    manifest = json.dumps(make_modelserve(namespace))
    denied = kubectl("create", "-f", "-", f"--as={STRANGER}", manifest=manifest)
    assert "TokenMissing" in denied.stderr


async def test_receipt_of_a_forged_review_is_worthless_to_everyone_else(
    https: aiohttp.ClientSession,
    api: client.ApiClient,
    applier: client.ApiClient,
    stranger: client.ApiClient,
    namespace: str,
    contract: Raw,
    folder: Folder,
    webhooks: WebhookProcess,
) -> None:
    body = make_modelserve(namespace, contract=contract["metadata"]["name"], replicas=1)
    forged = review("CREATE", body, userInfo={"username": APPLIER})
    async with https.post(f"/mutate/{folder.review_secret}", json=forged) as answer:
        response = (await answer.json())["response"]
    operations = json.loads(base64.b64decode(response["patch"]))
    (won,) = (each["value"] for each in operations if each["path"] == "/metadata/annotations")
    assert won[REQUESTED_BY] == APPLIER
    assert "TokenMissing" in await refusal(create(stranger, with_annotations(body, won)))
    await unregister(api)
    try:
        probe = make_modelserve(namespace, name=fresh_name("probe"))

        async def bypassed() -> bool:
            return not await refusal(create(stranger, probe), allowed="")

        await assert_eventually(bypassed)
        assert REQUESTED_BY in await refusal(create(stranger, with_annotations(body, won)))
        # Without the name beside it, the operator refuses the receipt.
        await create(stranger, with_annotations(body, {RECEIPT: won[RECEIPT]}))
        named = {"metadata": {"annotations": {REQUESTED_BY: APPLIER}}}
        assert REQUESTED_BY in await refusal(patch(stranger, body, named))
    finally:
        await registered(api, webhooks, folder)


async def test_valid_token_of_a_user_still_works(
    api: client.ApiClient, namespace: str, contract: Raw, folder: Folder
) -> None:
    stored = await create(api, with_token(make_modelserve(namespace), dev_token(folder)))
    assert REQUESTED_BY not in annotations_of(stored)
