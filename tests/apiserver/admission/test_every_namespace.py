"""The webhooks can't be bypassed in any namespace, and servers that did so don't count."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.support.builders.objects import Raw, fresh_name, make_model
from tests.support.builders.objects import make_modelserve as make_serve
from tests.support.custom_objects import JSON_PATCH, call, create, delete, patch, refusal
from tests.support.waiting import assert_eventually
from tests.support.webhooks.registration import CONFIGURATIONS, NAME
from tests.support.webhooks.tokens import (
    RECEIPT,
    TOKEN,
    contract_for,
    with_annotations,
    with_token,
)
from tests.support.webhooks.webhook_process import SYSTEM

SYSTEMS = ["kube-system", "kube-public", "kube-node-lease", "default", SYSTEM]
HUGE: Raw = {"limits": {"cpu": "1", "memory": "1Ti"}, "requests": {"cpu": "1", "memory": "1Ti"}}


async def stored(api: client.ApiClient, namespace: str) -> list[Raw]:
    path = f"/apis/model.example.com/v1alpha1/namespaces/{namespace}/modelserves"
    items: list[Raw] = (await call(api, "GET", path))["items"]
    return items


@pytest.mark.parametrize("system", SYSTEMS)
async def test_server_without_a_token_is_denied_in_every_namespace(
    api: client.ApiClient, contract: Raw, system: str
) -> None:
    body = make_serve(system, contract=contract["metadata"]["name"], replicas=1000)
    assert "TokenMissing" in await refusal(create(api, body))
    forged = with_annotations(body, {RECEIPT: "eyJhbGciOiJFZERTQSJ9.e30.c2ln"})
    assert "TokenMissing" in await refusal(create(api, forged))
    assert await stored(api, system) == []


@pytest.mark.parametrize("system", SYSTEMS)
async def test_server_without_a_contract_is_denied_in_every_namespace(
    api: client.ApiClient, contract: Raw, token: MakeToken, system: str
) -> None:
    body = make_serve(system, contract=contract["metadata"]["name"], resources=HUGE)
    message = await refusal(create(api, with_token(body, token())))
    assert "ContractNotFound" in message
    assert await stored(api, system) == []


@pytest.mark.parametrize("system", ["kube-system", SYSTEM])
async def test_server_in_a_system_namespace_stores_no_token_and_needs_one_to_change(
    api: client.ApiClient, token: MakeToken, admin: str, system: str
) -> None:
    agreed = await create(api, with_token(contract_for(system, total={"replicas": 2}), admin))
    body = make_serve(system, contract=agreed["metadata"]["name"])
    serve = await create(api, with_token(body, token()))
    try:
        assert TOKEN not in serve["metadata"]["annotations"]
        changes = {"spec": {"runtimeParams": {"contextSize": 8192}}}
        assert "TokenMissing" in await refusal(patch(api, serve, changes))
        scaled = {"spec": {"replicas": 1000}}
        assert "OverTotal" in await refusal(patch(api, serve, scaled, "scale"))
    finally:
        await delete(api, serve)


@asynccontextmanager
async def past_the_webhooks(api: client.ApiClient, body: Raw) -> AsyncIterator[Raw]:
    """Store `body` while the webhook configurations exclude its namespace."""
    here = {"key": "kubernetes.io/metadata.name", "operator": "NotIn"}
    selector = {"matchExpressions": [{**here, "values": [body["metadata"]["namespace"]]}]}
    await _select(api, selector)
    try:
        made: list[Raw] = []

        async def created() -> bool:
            try:
                made.append(await create(api, body))
            except client.ApiException:
                return False
            return True

        await assert_eventually(created)
    finally:
        await _select(api, {})
    probe = make_serve(body["metadata"]["namespace"])

    async def asked_again() -> bool:
        probed = {**probe, "metadata": {**probe["metadata"], "name": fresh_name("probe")}}
        return "TokenMissing" in await refusal(create(api, probed), allowed="admitted")

    await assert_eventually(asked_again)
    yield made[0]


async def _select(api: client.ApiClient, selector: Raw) -> None:
    change = [{"op": "add", "path": "/webhooks/0/namespaceSelector", "value": selector}]
    for collection in CONFIGURATIONS:
        await call(api, "PATCH", f"{collection}/{NAME}", change, JSON_PATCH)


@pytest.fixture
async def forged(api: client.ApiClient, namespace: str, contract: Raw) -> AsyncIterator[Raw]:
    """Store a server without a receipt whose demand exceeds the contract's total."""
    name = contract["metadata"]["name"]
    body = make_serve(namespace, contract=name, replicas=3, resources=HUGE, modelName="wanted")
    async with past_the_webhooks(api, body) as made:
        yield made


async def limit(api: client.ApiClient, contract: Raw, admin: str, **total: Any) -> None:
    """Set the contract's totals."""
    changes = {"metadata": {"annotations": {TOKEN: admin}}, "spec": {"total": total}}
    await patch(api, contract, changes)


async def test_server_without_a_receipt_does_not_count_against_its_contract(
    api: client.ApiClient,
    namespace: str,
    contract: Raw,
    token: MakeToken,
    admin: str,
    forged: Raw,
) -> None:
    await limit(api, contract, admin, servers=1, memory="1Gi")
    own = {"limits": {"cpu": "1", "memory": "1Gi"}}
    await create(api, with_token(make_serve(namespace, resources=own), token()))
    message = await refusal(create(api, with_token(make_serve(namespace, resources=own), token())))
    assert "OverTotal" in message


async def test_demand_of_a_server_without_a_receipt_is_not_credited_to_it(
    api: client.ApiClient, contract: Raw, token: MakeToken, admin: str, forged: Raw
) -> None:
    await limit(api, contract, admin, memory="1Gi")
    given = {"metadata": {"annotations": {TOKEN: token()}}}
    assert "OverTotal" in await refusal(patch(api, forged, given))


async def test_server_without_a_receipt_does_not_use_its_model(
    api: client.ApiClient, admin: str, forged: Raw
) -> None:
    model = await create(api, with_token(make_model(name="wanted"), admin))
    marks = {"model.example.com/deletion": "yes", TOKEN: admin}
    await patch(api, model, {"metadata": {"annotations": marks}})
    await delete(api, model)
