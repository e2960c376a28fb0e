"""Callers other than the API server can't do anything at the webhooks' port."""

from __future__ import annotations

import json
import secrets
from typing import Any

import aiohttp
import pytest
from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.support.builders.objects import Raw, fresh_name, make_modelserve
from tests.support.builders.reviews import review, thing
from tests.support.custom_objects import call, create, get, refusal
from tests.support.ledger import Ledger
from tests.support.waiting import assert_eventually
from tests.support.webhooks.registration import CONFIGURATIONS, NAME
from tests.support.webhooks.tokens import contract_for, with_token
from tests.support.webhooks.webhook_process import Folder, WebhookProcess

ROWS = "SELECT * FROM admission_records WHERE namespace = $1"
LIE = "EXPIRED: renew your token at https://evil.example/renew today!"


def forged(namespace: str) -> list[Raw]:
    """Return forged reviews: a deletion, a denial with a chosen text, an admission, a scale."""
    serve = thing(namespace=namespace)
    scale = {**serve, "apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 9}}
    lie = review("CREATE", {**serve, "kind": LIE})
    lie["request"]["kind"]["kind"] = LIE
    return [
        review("DELETE", None, serve),
        lie,
        review("CREATE", serve),
        review("UPDATE", serve, serve),
        review("UPDATE", scale, scale, subResource="scale"),
    ]


@pytest.mark.parametrize("secret", ["", secrets.token_hex(32)], ids=["no secret", "a wrong one"])
async def test_forged_reviews_have_no_effect(
    https: aiohttp.ClientSession,
    api: client.ApiClient,
    namespace: str,
    ledger: Ledger,
    secret: str,
) -> None:
    for path in ("/mutate", "/validate"):
        for body in forged(namespace):
            async with https.post(f"{path}/{secret}".rstrip("/"), json=body) as answer:
                assert answer.status == 403
                assert "allowed" not in await answer.text()
    await nothing_of(namespace, api, ledger)


async def test_inconsistent_review_at_the_secret_path_has_no_effect(
    https: aiohttp.ClientSession,
    api: client.ApiClient,
    namespace: str,
    ledger: Ledger,
    folder: Folder,
) -> None:
    deletion, lie, *_ = forged(namespace)
    for body in (deletion, lie):
        async with https.post(f"/validate/{folder.review_secret}", json=body) as answer:
            assert answer.status == 200
            assert LIE not in await answer.text()
    await nothing_of(namespace, api, ledger)


async def nothing_of(namespace: str, api: client.ApiClient, ledger: Ledger) -> None:
    """Check that there is no row and no event, once those of a later request exist."""
    await refusal(create(api, make_modelserve(namespace)))
    await assert_eventually(lambda: has_rows(ledger, namespace))
    (row,) = await ledger.rows(ROWS, namespace)
    assert row["reason"] == "TokenMissing"
    found = await client.CoreV1Api(api).list_namespaced_event(namespace)
    assert all("TokenMissing" in str(each.message) for each in found.items)


async def has_rows(ledger: Ledger, namespace: str) -> bool:
    return bool(await ledger.rows(ROWS, namespace))


async def test_forged_reviews_reserve_nothing(
    https: aiohttp.ClientSession,
    api: client.ApiClient,
    namespace: str,
    token: MakeToken,
    admin: str,
) -> None:
    limited = contract_for(namespace, total={"replicas": 20})
    contract = await create(api, with_token(limited, admin))
    stored = await create(api, with_token(make_modelserve(namespace, replicas=0), token()))
    before = (await get(api, contract)).get("status")
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 9}}
    meta = {"name": stored["metadata"]["name"], "namespace": namespace}
    body = review(
        "UPDATE", {**scale, "metadata": meta}, {**scale, "metadata": meta}, subResource="scale"
    )
    async with https.post("/validate", json=body) as answer:
        assert answer.status == 403
    assert (await get(api, contract)).get("status") == before


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
async def test_port_of_the_webhooks_serves_nothing_else(
    https: aiohttp.ClientSession, path: str
) -> None:
    async with https.get(path) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("port", "path", "status"),
    [
        ("http_port", "/metrics", 200),
        ("http_port", "/readyz", 404),
        ("probe_port", "/readyz", 200),
        ("probe_port", "/metrics", 404),
    ],
)
async def test_metrics_have_a_port_of_their_own(
    webhooks: tuple[WebhookProcess, ...], port: str, path: str, status: int
) -> None:
    url = f"http://127.0.0.1:{getattr(webhooks[0], port)}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == status


async def test_only_the_configurations_and_the_webhooks_have_the_path_secret(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken, folder: Folder
) -> None:
    await refusal(create(api, make_modelserve(namespace, name=fresh_name("denied"))))
    await create(api, with_token(make_modelserve(namespace), token()))
    configurations: list[Any] = [
        await call(api, "GET", f"{path}/{NAME}") for path in CONFIGURATIONS
    ]
    assert json.dumps(configurations).count(folder.review_secret) >= len(configurations)
    for log in folder.logs:
        assert folder.review_secret not in log.read_text()
    events = await client.CoreV1Api(api).list_namespaced_event(namespace)
    assert folder.review_secret not in str(events)
