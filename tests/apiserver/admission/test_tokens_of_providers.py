"""Tokens and key sets as identity providers issue them, with the real API server."""

from __future__ import annotations

import datetime
import json
from typing import Any

import jwt
import pytest
from kubernetes.aio import client

from roadstead.tokens.claims import Remark
from tests.apiserver.conftest import Kubectl
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.custom_objects import create, refusal
from tests.support.waiting import assert_eventually
from tests.support.webhooks.tokens import contract_for, with_token
from tests.support.webhooks.webhook_process import (
    AUDIENCE,
    ROLES_ISSUER,
    ROLES_PREFIX,
    Folder,
    WebhookProcess,
)

GROUP = "CN=ml engineers,OU=Groups,DC=example,DC=com"
ROLES = {"realm_access": {"roles": [GROUP, None, "offline access "]}}
OVERAGE = {"_claim_names": {"realm_access.roles": "src1"}}
KEY_ID = "public:hydra/id"


def token_of(
    folder: Folder, *, algorithm: str = "RS512", key_id: str | None = KEY_ID, **claims: Any
) -> str:
    """Return a token of the issuer with groups in a nested claim."""
    now = datetime.datetime.now(datetime.UTC).timestamp()
    times = {"iat": now - 5, "nbf": now - 5, "exp": now + 600.5}
    values = {"iss": ROLES_ISSUER, "aud": ["account", AUDIENCE], "sub": "alice", **times, **claims}
    headers = {"kid": key_id} if key_id else {}
    return jwt.encode(values, folder.rsa_key, algorithm=algorithm, headers=headers)


@pytest.fixture
async def contract(api: client.ApiClient, namespace: str, admin: str) -> Raw:
    """Create a contract for the issuer's group with commas and spaces in its name."""
    groups = {"groups": [f"{ROLES_PREFIX}{GROUP}"]}
    return await create(api, with_token(contract_for(namespace, authorization=groups), admin))


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS512"])
@pytest.mark.parametrize("key_id", [KEY_ID, None])
async def test_server_is_created_with_a_token_as_providers_make_them(
    api: client.ApiClient,
    namespace: str,
    contract: Raw,
    folder: Folder,
    algorithm: str,
    key_id: str | None,
) -> None:
    token = token_of(folder, algorithm=algorithm, key_id=key_id, **ROLES)
    stored = await create(api, with_token(make_modelserve(namespace), token))
    assert stored["spec"]["contract"] == contract["metadata"]["name"]


@pytest.mark.parametrize(
    ("claims", "remark"),
    [({}, Remark.GROUPS_MISSING), (OVERAGE, Remark.GROUPS_ELSEWHERE)],
)
async def test_denial_explains_why_the_token_has_no_groups(
    api: client.ApiClient,
    namespace: str,
    contract: Raw,
    folder: Folder,
    claims: dict[str, Any],
    remark: Remark,
) -> None:
    token = token_of(folder, **claims)
    message = await refusal(create(api, with_token(make_modelserve(namespace), token)))
    assert remark.advice in message


async def test_missing_groups_are_reported_by_an_event_and_counted(
    kubectl: Kubectl,
    namespace: str,
    contract: Raw,
    folder: Folder,
    webhooks: tuple[WebhookProcess, ...],
) -> None:
    body = with_token(make_modelserve(namespace), token_of(folder))
    kubectl("apply", "-f", "-", manifest=json.dumps(body))

    def is_reported() -> bool:
        return Remark.GROUPS_MISSING.advice in kubectl("get", "events", "-n", namespace).stdout

    await assert_eventually(is_reported)
    counted = f'{{issuer="{ROLES_ISSUER}",remark="GroupsMissing"}}'
    assert any(f"roadstead_token_remarks_total{counted}" in each.metrics() for each in webhooks)
