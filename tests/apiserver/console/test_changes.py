"""Creating, scaling and deleting from the console, on a real API server without admission."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.aio import client

from dev.console import sample_ledger, samples
from dev.servers.postgres import Postgres
from roadstead.api.group import ANNOTATION_TOKEN
from tests.support.builders.objects import fresh_name
from tests.support.console_browser import Browser

GROUP, VERSION, PLURAL = "model.example.com", "v1alpha1", "modelserves"


def form(name: str, namespace: str, **more: Any) -> dict[str, Any]:
    """The request of the page."""
    amounts = {"cpu": "1", "memory": "1Gi"}
    return {
        "name": name,
        "namespace": namespace,
        "modelName": "gemma-3-270m",
        "contract": "",
        "replicas": 1,
        "runtimeParams": {"contextSize": 2048},
        "resources": {"requests": amounts, "limits": amounts},
        **more,
    }


async def stored(api: client.ApiClient, name: str, namespace: str) -> Any:
    """Read the ModelServe."""
    objects = client.CustomObjectsApi(api)
    return await objects.get_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, name)


@pytest.fixture
async def covered(ledger: Postgres, namespace: str) -> None:
    """A contract for alice that covers the test's namespace."""
    contract = samples.contract(namespace, models=["gemma-*"])
    await sample_ledger.write(ledger, [samples.record(contract)])


@pytest.fixture
async def served(
    alice: Browser, api: client.ApiClient, ledger: Postgres, covered: None, namespace: str
) -> dict[str, Any]:
    """A server that alice created on the page, and its row in the ledger."""
    name = fresh_name("served")
    answer = await alice.ask("POST", "/api/servers", body=form(name, namespace))
    assert answer.status == 201
    raw: dict[str, Any] = await stored(api, name, namespace)
    raw["spec"]["contract"] = namespace
    await sample_ledger.write(ledger, [samples.record(raw)])
    return raw


def labelled(namespace: str, **labels: str) -> dict[str, Any]:
    """A contract for namespaces with these labels."""
    selector = {"selector": {"matchLabels": labels}}
    # The ledger is that of all tests: with all models, alice would see those of others.
    return samples.contract(namespace, models=["gemma-*"], namespaces=selector)


@pytest.mark.parametrize("elsewhere", ["kube-system", "default", "roadstead-system", "other", "no"])
async def test_write_to_uncovered_namespace_is_refused(
    alice: Browser, covered: None, api: client.ApiClient, elsewhere: str
) -> None:
    name = fresh_name("smuggled")
    body = form(name, elsewhere, contract="demo", replicas=1000)
    answer = await alice.ask("POST", "/api/servers", body=body)
    assert (answer.status, answer.json["error"]["code"]) == (403, "NamespaceNotCovered")
    checked = await alice.ask("POST", "/api/servers/check", body=body)
    assert (checked.json["allowed"], checked.json["code"]) == (False, "NamespaceNotCovered")
    with pytest.raises(client.ApiException):
        await stored(api, name, elsewhere)


async def test_user_without_contract_cannot_write(
    browser: Browser, covered: None, namespace: str
) -> None:
    for group in ("strangers", "roadstead-admins"):
        await browser.sign_in("eve", group)
        for place in (namespace, "kube-system"):
            answer = await browser.ask("POST", "/api/servers", body=form("x", place))
            assert answer.status == 403


async def test_contract_covers_namespaces_with_its_labels(
    alice: Browser, api: client.ApiClient, ledger: Postgres, namespace: str
) -> None:
    await sample_ledger.write(ledger, [samples.record(labelled(namespace, team=namespace))])
    refused = await alice.ask("POST", "/api/servers", body=form("one", namespace))
    assert refused.status == 403
    labels = {"metadata": {"labels": {"team": namespace}}}
    await client.CoreV1Api(api).patch_namespace(namespace, labels)
    answer = await alice.ask("POST", "/api/servers", body=form("one", namespace))
    assert answer.status == 201


@pytest.mark.parametrize("place", ["../kube-system", "a/b", "..", "a?x", "A"])
async def test_namespace_with_path_characters_is_refused(
    alice: Browser, ledger: Postgres, namespace: str, place: str
) -> None:
    await sample_ledger.write(ledger, [samples.record(labelled(namespace, team=namespace))])
    assert (await alice.ask("POST", "/api/servers", body=form("x", place))).status == 400


async def test_server_is_created_with_the_users_token(
    alice: Browser, served: dict[str, Any]
) -> None:
    assert served["metadata"]["annotations"][ANNOTATION_TOKEN] == alice.cookie
    assert served["spec"]["runtimeParams"]["contextSize"] == 2048


async def test_check_creates_nothing_and_returns_yaml_without_token(
    alice: Browser, covered: None, api: client.ApiClient, namespace: str
) -> None:
    answer = await alice.ask("POST", "/api/servers/check", body=form("checked", namespace))
    assert answer.json["allowed"]
    assert "modelName: gemma-3-270m" in answer.json["yaml"]
    assert alice.cookie not in answer.text
    with pytest.raises(client.ApiException):
        await stored(api, "checked", namespace)


async def test_error_of_the_schema_is_returned(
    alice: Browser, covered: None, namespace: str
) -> None:
    wrong = form("wrong", namespace, runtimeParams={"contextSize": 1})
    answer = await alice.ask("POST", "/api/servers", body=wrong)
    assert answer.status == 422
    assert "contextSize" in answer.json["error"]["message"]
    assert alice.cookie not in answer.text


@pytest.mark.parametrize(
    "body", [[], {}, {"name": 1}, form("", "x"), form("x", ""), form("x", "y", modelName="")]
)
async def test_malformed_request_is_refused(alice: Browser, body: Any) -> None:
    assert (await alice.ask("POST", "/api/servers", body=body)).status == 400


async def test_server_is_scaled_with_the_users_token(
    alice: Browser, served: dict[str, Any], api: client.ApiClient
) -> None:
    meta = served["metadata"]
    answer = await alice.ask("PATCH", f"/api/servers/{meta['uid']}", body={"replicas": 2})
    assert answer.status == 200
    found = await stored(api, meta["name"], meta["namespace"])
    assert found["spec"]["replicas"] == 2
    assert found["metadata"]["annotations"][ANNOTATION_TOKEN] == alice.cookie


async def test_server_is_deleted(
    alice: Browser, served: dict[str, Any], api: client.ApiClient
) -> None:
    meta = served["metadata"]
    assert (await alice.ask("DELETE", f"/api/servers/{meta['uid']}")).status == 200
    with pytest.raises(client.ApiException):
        await stored(api, meta["name"], meta["namespace"])


async def test_other_object_with_the_same_name_is_not_deleted(
    alice: Browser, served: dict[str, Any], api: client.ApiClient
) -> None:
    meta = served["metadata"]
    objects = client.CustomObjectsApi(api)
    where = (GROUP, VERSION, meta["namespace"], PLURAL)
    await objects.delete_namespaced_custom_object(*where, meta["name"])
    again = {**served, "metadata": {"name": meta["name"], "namespace": meta["namespace"]}}
    await objects.create_namespaced_custom_object(*where, again)
    for method, body in (("DELETE", None), ("PATCH", {"replicas": 0})):
        answer = await alice.ask(method, f"/api/servers/{meta['uid']}", body=body)
        assert answer.status == 404
    assert (await stored(api, meta["name"], meta["namespace"]))["spec"]["replicas"] == 1


async def test_administrator_without_contract_cannot_delete(
    browser: Browser, served: dict[str, Any], api: client.ApiClient
) -> None:
    meta = served["metadata"]
    await browser.sign_in("ada", "roadstead-admins")
    answer = await browser.ask("DELETE", f"/api/servers/{meta['uid']}")
    assert answer.status == 403
    assert "not for ada" in answer.json["error"]["message"]
    assert await stored(api, meta["name"], meta["namespace"])


async def test_server_of_expired_contract_is_not_deleted(
    alice: Browser, served: dict[str, Any], ledger: Postgres
) -> None:
    namespace = served["metadata"]["namespace"]
    ended = samples.contract(namespace, models=["gemma-*"], expiresAt="2020-01-01T00:00:00Z")
    ended["metadata"]["resourceVersion"] = "6"
    await sample_ledger.write(ledger, [samples.record(ended)])
    answer = await alice.ask("DELETE", f"/api/servers/{served['metadata']['uid']}")
    assert answer.status == 403
    assert "expired at 2020-01-01" in answer.json["error"]["message"]
