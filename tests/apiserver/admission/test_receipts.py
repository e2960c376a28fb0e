"""The content of a stored receipt, which every reader of the object can see."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest
from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.support.builders.objects import Raw, make_model, make_modelserve
from tests.support.custom_objects import create, patch
from tests.support.waiting import assert_eventually
from tests.support.webhooks.tokens import RECEIPT, TOKEN, contract_for, with_token

GROUPS = ("demo-users", "roadstead-admins", "laid-off-in-may")


def shown(stored: Raw) -> dict[str, Any]:
    """Return the claims, which every reader can decode."""
    payload = stored["metadata"]["annotations"][RECEIPT].split(".")[1]
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return claims


@pytest.fixture
def much(token: MakeToken) -> str:
    """Return a token with more groups and scopes than any contract requires."""
    return token("alice", *GROUPS, scope="mail calendar")


async def test_receipt_of_a_server_has_the_groups_that_its_contract_requires(
    api: client.ApiClient, namespace: str, contract: Raw, much: str
) -> None:
    claims = shown(await create(api, with_token(make_modelserve(namespace), much)))
    assert (claims["groups"], claims["scopes"]) == (["demo-users"], [])


async def test_receipt_of_an_administrators_object_shows_no_other_group(
    api: client.ApiClient, namespace: str, much: str
) -> None:
    for body in (contract_for(namespace), make_model()):
        claims = shown(await create(api, with_token(body, much)))
        # Contracts of other tests allow every model.
        assert set(claims["groups"]) <= {"roadstead-admins", "demo-users"}
        assert claims["scopes"] == []


async def test_applying_again_satisfies_a_contract_that_requires_another_group(
    api: client.ApiClient, namespace: str, contract: Raw, admin: str, much: str
) -> None:
    serve = await create(api, with_token(make_modelserve(namespace), much))
    other = {"authorization": {"groups": ["laid-off-in-may"]}}
    change: Raw = {"metadata": {"annotations": {TOKEN: admin}}, "spec": other}
    await patch(api, contract, change)
    threads = itertools.count(1)

    async def met() -> bool:
        """Return whether both webhooks have the contract in their caches."""
        again: Raw = {
            "metadata": {"annotations": {TOKEN: much}},
            "spec": {"runtimeParams": {"threads": next(threads)}},
        }
        try:
            changed = await patch(api, serve, again)
        except client.ApiException as error:
            raise AssertionError(error.body) from None
        return bool(shown(changed)["groups"] == ["laid-off-in-may"])

    await assert_eventually(met)
