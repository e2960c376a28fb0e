"""The token in an applied object is removed."""

from __future__ import annotations

import asyncio
import json

from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.apiserver.conftest import Kubectl
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.custom_objects import apply, create, get, patch, refusal
from tests.support.webhooks.tokens import RECEIPT, TOKEN, with_token


async def test_object_without_a_token_is_denied(
    api: client.ApiClient, namespace: str, contract: Raw
) -> None:
    message = await refusal(create(api, make_modelserve(namespace)))
    assert "TokenMissing" in message
    assert TOKEN in message


async def test_token_is_replaced_by_a_receipt(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    stored = await create(api, with_token(make_modelserve(namespace), token()))
    annotations = stored["metadata"]["annotations"]
    assert TOKEN not in annotations
    assert annotations[RECEIPT]
    assert stored["spec"]["contract"] == contract["metadata"]["name"]


async def test_applying_twice_with_fresh_tokens_is_no_change(
    api: client.ApiClient, kubectl: Kubectl, namespace: str, contract: Raw, token: MakeToken
) -> None:
    body = make_modelserve(namespace)
    first = kubectl("apply", "-f", "-", manifest=json.dumps(with_token(body, token(jti="1"))))
    assert "created" in first.stdout, first.stderr
    before = await get(api, body)
    await asyncio.sleep(1)  # managedFields have a resolution of a second
    second = kubectl("apply", "-f", "-", manifest=json.dumps(with_token(body, token(jti="2"))))
    assert second.returncode == 0, second.stderr
    assert await get(api, body) == before


async def test_server_side_apply_twice_with_fresh_tokens_is_no_change(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    body = make_modelserve(namespace)
    before = await apply(api, with_token(body, token(jti="1")))
    after = await apply(api, with_token(body, token(jti="2")))
    assert after == before


async def test_two_managers_may_apply_an_object_with_their_own_tokens(
    kubectl: Kubectl, namespace: str, contract: Raw, token: MakeToken
) -> None:
    body = make_modelserve(namespace)
    for manager in ("one", "other"):
        manifest = json.dumps(with_token(body, token(manager)))
        flags = ("--server-side", f"--field-manager={manager}")
        done = kubectl("apply", *flags, "-f", "-", manifest=manifest)
        assert done.returncode == 0, done.stderr


async def test_labels_change_without_a_token(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    stored = await create(api, with_token(make_modelserve(namespace), token()))
    changed = await patch(api, stored, {"metadata": {"labels": {"team": "a"}}})
    assert changed["metadata"]["annotations"] == stored["metadata"]["annotations"]


async def test_spec_does_not_change_without_a_token(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    stored = await create(api, with_token(make_modelserve(namespace), token()))
    changes = {"spec": {"runtimeParams": {"contextSize": 8192}}}
    assert "TokenMissing" in await refusal(patch(api, stored, changes))
