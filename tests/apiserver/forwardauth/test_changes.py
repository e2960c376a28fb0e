"""Changes in the cluster apply to the next request, on the same connection too."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from kubernetes.aio import client

from dev.console.tokens import make_token
from tests.support.custom_objects import delete, patch
from tests.support.forwardauth.auth_process import (
    JWKS_PREFIX,
    KEY,
    REVOCATIONS,
    SYSTEM,
    AuthProcess,
    Folder,
    Gateway,
    make_keyed_token,
)
from tests.support.forwardauth.permitted_server import Site
from tests.support.waiting import assert_eventually


async def until(gateway: Gateway, site: Site, token: str, status: int, code: str) -> None:
    """Send requests until the answer has this status and code."""

    def is_answered() -> bool:
        answer = gateway.ask(site.uuid, token)
        assert (answer.status, answer.code) == (status, code)
        return True

    await assert_eventually(is_answered)


async def revoke(core: client.CoreV1Api, data: Mapping[str, str]) -> None:
    """Replace the ConfigMap of revocations."""
    meta = client.V1ObjectMeta(name=REVOCATIONS)
    body = client.V1ConfigMap(metadata=meta, data=dict(data))
    await core.create_namespaced_config_map(SYSTEM, body)


async def test_server_gets_its_key_in_place_of_the_callers_token(
    gateway: Gateway, site: Site
) -> None:
    answer = gateway.ask(site.uuid, make_token())
    assert answer.status == 200
    assert answer.headers["Authorization"] == f"Bearer {KEY.server_key(site.uuid)}"
    assert (answer.headers["X-Auth-Subject"], answer.headers["X-Auth-Groups"]) == (
        "alice",
        "demo-users",
    )


async def test_revoked_token_is_denied(
    gateway: Gateway, site: Site, system: client.CoreV1Api
) -> None:
    token = make_token(jti="the-one")
    assert gateway.ask(site.uuid, token).status == 200
    await revoke(system, {"jti": "# lost\nthe-one\n"})
    await until(gateway, site, token, 403, "TokenRevoked")
    assert gateway.ask(site.uuid, make_token(jti="another")).status == 200


async def test_revoked_subject_is_denied(
    gateway: Gateway, site: Site, system: client.CoreV1Api
) -> None:
    token = make_token("mallory")
    assert gateway.ask(site.uuid, token).status == 200
    await revoke(system, {"sub": "mallory\n"})
    await until(gateway, site, token, 403, "TokenRevoked")
    assert gateway.ask(site.uuid, make_token()).status == 200


async def test_removed_revocation_has_no_effect(
    gateway: Gateway, site: Site, system: client.CoreV1Api
) -> None:
    await revoke(system, {"sub": "alice\n"})
    await until(gateway, site, make_token(), 403, "TokenRevoked")
    await system.delete_namespaced_config_map(REVOCATIONS, SYSTEM)
    await until(gateway, site, make_token(), 200, "")


async def test_changed_contract_denies_callers_that_it_no_longer_covers(
    gateway: Gateway, site: Site, api: client.ApiClient
) -> None:
    change = {"spec": {"authorization": {"groups": ["others"]}}}
    await patch(api, site.contract, change)
    await until(gateway, site, make_token(), 403, "AccessDenied")
    assert gateway.ask(site.uuid, make_token("bob", "others")).status == 200


async def test_expired_contract_denies_its_callers(
    gateway: Gateway, site: Site, api: client.ApiClient
) -> None:
    await patch(api, site.contract, {"spec": {"expiresAt": "2020-01-01T00:00:00Z"}})
    await until(gateway, site, make_token(), 403, "ContractExpired")


async def test_deleted_contract_denies_its_callers(
    gateway: Gateway, site: Site, api: client.ApiClient
) -> None:
    await delete(api, site.contract)
    await until(gateway, site, make_token(), 403, "AccessDenied")


async def test_namespace_without_its_label_denies_callers_of_its_servers(
    gateway: Gateway, site: Site, api: client.ApiClient, namespace: str
) -> None:
    core = client.CoreV1Api(api)
    selector = {"names": None, "selector": {"matchLabels": {"team": "a"}}}
    await core.patch_namespace(namespace, {"metadata": {"labels": {"team": "a"}}})
    await patch(api, site.contract, {"spec": {"namespaces": selector}})
    await until(gateway, site, make_token(), 200, "")
    await core.patch_namespace(namespace, {"metadata": {"labels": {"team": "b"}}})
    await until(gateway, site, make_token(), 403, "AccessDenied")


async def test_deleted_server_is_unknown(
    gateway: Gateway, site: Site, api: client.ApiClient
) -> None:
    await delete(api, site.serve)
    await until(gateway, site, make_token(), 403, "AccessDenied")


@pytest.mark.fault("R21", heals="what was signed with a withdrawn key is not valid")
async def test_token_of_a_replaced_issuer_key_is_rejected(
    auth: AuthProcess, folder: Folder, site: Site, api: client.ApiClient
) -> None:
    old, new = make_keyed_token("first"), make_keyed_token("second")
    keyed = {"groups": [f"{JWKS_PREFIX}demo-users"]}
    await patch(api, site.contract, {"spec": {"authorization": keyed}})
    await assert_eventually(lambda: auth.status(site.uuid, old) == 200)
    folder.publish("second")
    try:
        await assert_eventually(lambda: auth.status(site.uuid, old) == 401)
        await assert_eventually(lambda: auth.status(site.uuid, new) == 200)
    finally:
        folder.publish("first")
        await assert_eventually(lambda: auth.status(site.uuid, old) == 200)


async def test_group_of_one_issuer_is_not_that_of_another(auth: AuthProcess, site: Site) -> None:
    assert auth.status(site.uuid, make_token()) == 200
    assert auth.status(site.uuid, make_keyed_token("first")) == 403
