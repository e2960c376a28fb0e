"""Pods that may still run count by the grant in the status."""

from __future__ import annotations

from typing import Any

from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.apiserver.admission.test_every_namespace import limit, past_the_webhooks
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.custom_objects import call, create, patch, path, refusal
from tests.support.waiting import assert_eventually
from tests.support.webhooks.tokens import TOKEN, contract_for, with_token

FULL = "700Mi in total, 100Mi of it free"


def limits(memory: str) -> Raw:
    return {"limits": {"cpu": "1", "memory": memory}}


async def run(api: client.ApiClient, serve: Raw, contract: Raw, memory: str) -> None:
    """Write a grant of one replica into the status, as the operator does."""
    given = {"cpu": "1", "memory": memory, "gpu": 0}
    name = contract["metadata"]["name"]
    granted = {"contract": name, "replicas": 1, "resources": given}
    await patch(api, serve, {"status": {"granted": granted}}, "status")


async def forget_reservations(api: client.ApiClient, contract: Raw) -> None:
    """Remove the reservations, as the operator does once it has counted the servers."""
    await patch(api, contract, {"status": {"reservations": []}}, "status")


async def does_not_fit(api: client.ApiClient, body: Raw) -> bool:
    """Return whether a dry run gets this answer: webhooks receive a status by a watch."""
    dry = call(api, "POST", f"{path(body, named=False)}?dryRun=All", body)
    return FULL in await refusal(dry, allowed="admitted")


def with_spec(token: str, **spec: Any) -> Raw:
    return {"metadata": {"annotations": {TOKEN: token}}, "spec": spec}


async def test_shrunk_server_frees_nothing_until_its_rollout_completes(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str
) -> None:
    body = contract_for(namespace, total={"memory": "700Mi"})
    agreed = await create(api, with_token(body, admin))
    body = make_modelserve(namespace, resources=limits("600Mi"))
    serve = await create(api, with_token(body, token()))
    await run(api, serve, agreed, "600Mi")
    nowhere = {"nodeSelector": {"example.com/nowhere": "x"}}
    changes = with_spec(token(), resources=limits("1Mi"), config=nowhere)
    await patch(api, serve, changes)
    await forget_reservations(api, agreed)
    other = with_token(make_modelserve(namespace, resources=limits("600Mi")), token())
    await assert_eventually(lambda: does_not_fit(api, other))
    assert FULL in await refusal(create(api, other))
    await run(api, serve, agreed, "1Mi")

    async def free() -> bool:
        return await refusal(create(api, other), allowed="admitted") == "admitted"

    await assert_eventually(free)


async def test_server_moves_to_a_contract_with_room_for_pods_that_may_still_run(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str
) -> None:
    large, small = [
        await create(api, with_token(contract_for(namespace, total={"memory": most}), admin))
        for most in ("1Gi", "100Mi")
    ]
    name = large["metadata"]["name"]
    body = make_modelserve(namespace, contract=name, resources=limits("600Mi"))
    serve = await create(api, with_token(body, token()))
    await run(api, serve, large, "600Mi")
    await patch(api, serve, with_spec(token(), resources=limits("1Mi")))
    moved = {"contract": small["metadata"]["name"]}
    message = await refusal(patch(api, serve, with_spec(token(), **moved)))
    assert "600Mi may still run until its rollout is complete" in message
    await run(api, serve, large, "1Mi")
    await patch(api, serve, with_spec(token(), **moved))


async def test_server_with_an_invalid_receipt_counts_as_granted(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken, admin: str
) -> None:
    huge = make_modelserve(namespace, contract="another", resources=limits("1Ti"))
    async with past_the_webhooks(api, huge) as frozen:
        await run(api, frozen, contract, "600Mi")
        await limit(api, contract, admin, memory="700Mi")
        body = with_token(make_modelserve(namespace, resources=limits("101Mi")), token())
        await assert_eventually(lambda: does_not_fit(api, body))
        assert FULL in await refusal(create(api, body))
        body = with_token(make_modelserve(namespace, resources=limits("100Mi")), token())
        await create(api, body)
