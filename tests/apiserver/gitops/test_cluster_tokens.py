"""Tokens that the cluster issues to ServiceAccounts, verified with the API server's keys."""

from __future__ import annotations

import aiohttp
import pytest
from kubernetes.aio import client

from dev.servers.apiserver import ApiServer
from tests.apiserver.conftest import Kubectl
from tests.apiserver.gitops.conftest import CLUSTER_PREFIX, FLUX, STRANGER
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.custom_objects import create, refusal
from tests.support.webhooks.tokens import contract_for, with_token


@pytest.fixture
async def stranger_contract(namespace: str, applier: client.ApiClient) -> Raw:
    """Create a contract for one account's tokens."""
    allowed = {"subjects": [f"{CLUSTER_PREFIX}{STRANGER}"]}
    return await create(applier, contract_for(namespace, authorization=allowed))


def created_token(kubectl: Kubectl, *flags: str) -> str:
    done = kubectl("create", "token", "stranger", "-n", FLUX, *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def test_token_that_kubectl_creates_is_valid(
    kubectl: Kubectl, api: client.ApiClient, namespace: str, stranger_contract: Raw
) -> None:
    token = created_token(kubectl, "--audience=roadstead", "--duration=10m")
    stored = await create(api, with_token(make_modelserve(namespace), token))
    assert stored["spec"]["contract"] == stranger_contract["metadata"]["name"]


async def test_token_for_another_audience_is_denied(
    kubectl: Kubectl, api: client.ApiClient, namespace: str, stranger_contract: Raw
) -> None:
    token = created_token(kubectl)
    body = with_token(make_modelserve(namespace), token)
    assert "TokenAudience" in await refusal(create(api, body))


async def test_keys_are_not_anonymous(apiserver: ApiServer) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{apiserver.url}/openid/v1/jwks", ssl=False) as answer,
    ):
        assert answer.status in (401, 403)
