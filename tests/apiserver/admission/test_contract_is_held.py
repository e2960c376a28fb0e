"""A contract's limits apply to every way to create, change or scale a server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from kubernetes.aio import client

from dev.servers.apiclient import connect
from dev.servers.apiserver import ApiServer
from tests.apiserver.admission.conftest import MakeToken
from tests.apiserver.conftest import Kubectl
from tests.support.builders.objects import Raw, fresh_name, make_modelserve
from tests.support.custom_objects import call, create, delete, get, patch, refusal
from tests.support.waiting import assert_eventually
from tests.support.webhooks.tokens import RECEIPT, contract_for, with_token
from tests.support.webhooks.webhook_process import WebhookProcess

CREATORS = 32


async def _agreed(api: client.ApiClient, namespace: str, admin: str, **spec: Any) -> Raw:
    return await create(api, with_token(contract_for(namespace, **spec), admin))


@pytest.mark.fault("R15", heals="denied, except for as many as the contract allows")
async def test_32_concurrent_creators_reach_exactly_the_total(
    apiserver: ApiServer,
    api: client.ApiClient,
    namespace: str,
    token: MakeToken,
    admin: str,
    webhooks: tuple[WebhookProcess, ...],
) -> None:
    await _agreed(api, namespace, admin, total={"servers": 10})
    given = token()

    async def attempt() -> str:
        async with connect(apiserver) as own:
            body = with_token(make_modelserve(namespace), given)
            return await refusal(create(own, body), allowed="admitted")

    answers = await asyncio.gather(*(attempt() for _ in range(CREATORS)))
    assert answers.count("admitted") == 10
    assert all("OverTotal" in each for each in answers if each != "admitted")
    path = f"/apis/model.example.com/v1alpha1/namespaces/{namespace}/modelserves"
    listed = await call(api, "GET", path)
    assert len(listed["items"]) == 10
    # Both replicas decided, so the compare-and-swap was tested.
    for each in webhooks:
        assert 'webhook="validating"' in each.metrics()


async def test_all_violations_are_reported_at_once(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str
) -> None:
    agreed = await _agreed(
        api,
        namespace,
        admin,
        perServer={"replicas": 2, "memory": "4Gi"},
        runtimeParams={"maxContextSize": 4096, "extraArgs": "Forbid"},
    )
    body = make_modelserve(
        namespace,
        replicas=3,
        resources={"limits": {"memory": "8Gi"}},
        runtimeParams={"contextSize": 8192, "extraArgs": ["--temp", "0"]},
    )
    message = await refusal(create(api, with_token(body, token())))
    for part in (
        "spec.replicas: 3 replicas",
        "spec.resources.limits.memory: 8Gi x 3 replicas is 24Gi",
        "spec.runtimeParams.contextSize: 8192",
        "spec.runtimeParams.extraArgs",
        agreed["metadata"]["name"],
    ):
        assert part in message


@pytest.mark.fault("R15", heals="denied: /scale is checked against the contract")
async def test_scale_is_checked_against_the_contract(
    api: client.ApiClient, kubectl: Kubectl, namespace: str, token: MakeToken, admin: str
) -> None:
    await _agreed(api, namespace, admin, total={"replicas": 3})
    serve = await create(api, with_token(make_modelserve(namespace), token()))
    name = f"modelserve/{serve['metadata']['name']}"
    scaled = kubectl("scale", name, "-n", namespace, "--replicas=3")
    assert scaled.returncode == 0, scaled.stderr
    over = kubectl("scale", name, "-n", namespace, "--replicas=4")
    assert "OverTotal" in over.stderr
    assert (await get(api, serve))["spec"]["replicas"] == 3
    assert kubectl("scale", name, "-n", namespace, "--replicas=0").returncode == 0


async def test_receipt_survives_a_scale(
    api: client.ApiClient, kubectl: Kubectl, namespace: str, contract: Raw, token: MakeToken
) -> None:
    serve = await create(api, with_token(make_modelserve(namespace), token()))
    name = f"modelserve/{serve['metadata']['name']}"
    for replicas in (2, 5):
        done = kubectl("scale", name, "-n", namespace, f"--replicas={replicas}")
        assert done.returncode == 0, done.stderr
    annotations = (await get(api, serve))["metadata"]["annotations"]
    assert annotations[RECEIPT] == serve["metadata"]["annotations"][RECEIPT]


async def test_update_counts_the_demand_that_the_server_has_already(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str
) -> None:
    await _agreed(api, namespace, admin, total={"replicas": 3})
    serve = await create(api, with_token(make_modelserve(namespace, replicas=2), token()))

    def replicas(count: int) -> dict[str, Any]:
        annotations = {"model.example.com/auth-token": token()}
        return {"metadata": {"annotations": annotations}, "spec": {"replicas": count}}

    assert (await patch(api, serve, replicas(3)))["spec"]["replicas"] == 3
    assert "OverTotal" in await refusal(patch(api, serve, replicas(4)))


@pytest.mark.parametrize("other", ["group", "namespace", "model", "expired", "none"])
async def test_server_that_no_contract_covers_is_denied(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str, other: str
) -> None:
    specs: dict[str, dict[str, Any]] = {
        "group": {"authorization": {"groups": ["others"]}},
        "namespace": {"namespaces": {"names": ["elsewhere-*"]}},
        "model": {"models": ["llama-*"]},
        "expired": {"expiresAt": "2020-01-01T00:00:00Z"},
        "none": {},
    }
    if other != "none":
        await _agreed(api, namespace, admin, **specs[other])
    message = await refusal(create(api, with_token(make_modelserve(namespace), token())))
    assert ("ContractExpired" if other == "expired" else "NoContract") in message


async def test_namespace_globs_and_selectors_cover(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str
) -> None:
    glob = f"{namespace[:-1]}?"
    await _agreed(api, namespace, admin, namespaces={"names": [glob]})
    await create(api, with_token(make_modelserve(namespace), token()))


async def test_selector_covers_a_namespace_as_soon_as_it_has_the_label(
    api: client.ApiClient, kubectl: Kubectl, namespace: str, token: MakeToken, admin: str
) -> None:
    selector = {"matchLabels": {"team": namespace}}
    await _agreed(api, namespace, admin, namespaces={"selector": selector})
    body = make_modelserve(namespace)
    assert "NoContract" in await refusal(create(api, with_token(body, token())))
    kubectl("label", "namespace", namespace, f"team={namespace}")
    await create(api, with_token(body, token()))


async def test_first_contract_that_allows_a_server_is_chosen(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str
) -> None:
    small, large = (fresh_name(letter) for letter in "ab")
    await _agreed(api, namespace, admin, name=small, total={"servers": 1})
    await _agreed(api, namespace, admin, name=large)
    first = await create(api, with_token(make_modelserve(namespace), token()))
    second = await create(api, with_token(make_modelserve(namespace), token()))
    assert [each["spec"]["contract"] for each in (first, second)] == [small, large]


@pytest.mark.parametrize("quantity", ["1e9Gi", "-1", "lots", "0.5m"])
async def test_malformed_quantity_is_denied(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken, quantity: str
) -> None:
    body = make_modelserve(namespace, resources={"limits": {"memory": quantity}})
    message = await refusal(create(api, with_token(body, token())))
    assert "spec.resources.limits" in message


async def test_replicas_of_a_wrong_type_are_rejected_by_the_schema(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    body = make_modelserve(namespace, replicas="many")
    message = await refusal(create(api, with_token(body, token())))
    assert "spec.replicas" in message
    assert "denied the request" not in message


async def test_contract_with_contradictory_limits_is_denied(
    api: client.ApiClient, namespace: str, admin: str
) -> None:
    body = contract_for(namespace, perServer={"replicas": 3}, total={"replicas": 2})
    assert "perServer.replicas" in await refusal(create(api, with_token(body, admin)))


async def test_unicode_name_is_denied(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    body = make_modelserve(namespace, name="gémma-模型")
    assert "lower case letters, digits" in await refusal(create(api, with_token(body, token())))


async def test_server_with_a_generated_name_gets_a_valid_receipt(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    body = make_modelserve(namespace)
    del body["metadata"]["name"]
    body["metadata"]["generateName"] = "serve-"
    stored = await create(api, with_token(body, token()))
    changes = {"spec": {"replicas": 2}}
    scaled = await patch(api, stored, changes, "scale")
    assert scaled["spec"]["replicas"] == 2


async def test_servers_with_generated_names_count_against_the_total(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str
) -> None:
    await _agreed(api, namespace, admin, total={"servers": 2})
    body = make_modelserve(namespace)
    del body["metadata"]["name"]
    body["metadata"]["generateName"] = "serve-"
    for _ in range(2):
        await create(api, with_token(body, token()))
    assert "OverTotal" in await refusal(create(api, with_token(body, token())))


async def test_deleted_server_frees_its_share_of_the_contract(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str
) -> None:
    await _agreed(api, namespace, admin, total={"servers": 1})
    serve = await create(api, with_token(make_modelserve(namespace), token()))
    other = with_token(make_modelserve(namespace), token())
    assert "OverTotal" in await refusal(create(api, other))
    await delete(api, serve)

    async def free() -> bool:
        return await refusal(create(api, other), allowed="admitted") == "admitted"

    # Without an operator the reservation first has to expire, after 30 s.
    await assert_eventually(free, interval=1)


async def test_patch_of_replicas_needs_a_token(
    kubectl: Kubectl, api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    serve = await create(api, with_token(make_modelserve(namespace), token()))
    name = serve["metadata"]["name"]
    change = json.dumps({"spec": {"replicas": 2}})
    done = kubectl("patch", "modelserve", name, "-n", namespace, "--type=merge", "-p", change)
    assert "TokenMissing" in done.stderr


async def test_annotations_and_grace_period_are_checked_against_the_contract(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str
) -> None:
    bounds = {"podAnnotations": ["example.com/*"], "maxTerminationGracePeriodSeconds": 90}
    await _agreed(api, namespace, admin, config=bounds)
    config: Raw = {
        "podAnnotations": {"example.com/owner": "alice"},
        "terminationGracePeriodSeconds": 90,
    }
    await create(api, with_token(make_modelserve(namespace, config=config), token()))
    for change in (
        {"podAnnotations": {"sidecar.istio.io/inject": "true"}},
        {"terminationGracePeriodSeconds": 91},
    ):
        body = make_modelserve(namespace, config={**config, **change})
        assert "ConfigNotAllowed" in await refusal(create(api, with_token(body, token())))
