"""What somebody with the token of the webhooks' account can do to webhook configurations."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roadstead.errors import KubeRejected
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import Resource
from tests.support.builders.objects import fresh_name
from tests.support.certificates import issue
from tests.support.charts import Object
from tests.support.waiting import assert_eventually

NAME = "roadstead"
ONLY = "updates only caBundle"
CONFIGURATIONS = [
    Resource(
        group="admissionregistration.k8s.io",
        version="v1",
        plural=f"{kind.lower()}s",
        kind=kind,
        namespaced=False,
    )
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
]
RULE = {
    "apiGroups": ["rbac.authorization.k8s.io"],
    "apiVersions": ["v1"],
    "resources": ["clusterrolebindings"],
    "operations": ["CREATE"],
}
KINDS = [pytest.param(each, id=each.kind) for each in CONFIGURATIONS]
Change = Callable[[list[Object]], list[Object]]


@pytest.fixture
async def held(webhooks: KubeClient) -> KubeClient:
    """The account, once its policy is held."""
    await assert_eventually(lambda: _is_held(webhooks))
    return webhooks


async def _is_held(webhooks: KubeClient) -> bool:
    body = {"metadata": {"name": fresh_name("trial")}, "webhooks": []}
    try:
        await webhooks.create(CONFIGURATIONS[0], body, dry_run=True)
    except KubeRejected as error:
        return ONLY in str(error)
    return False


async def changed(account: KubeClient, resource: Resource, change: Object) -> str:
    """The refusal of a merge patch of the release's configuration."""
    with pytest.raises(KubeRejected) as caught:
        await account.patch(resource, NAME, change)
    return str(caught.value)


def first(**fields: Any) -> Change:
    """The first webhook with other fields."""
    return lambda hooks: [{**hooks[0], **fields}, *hooks[1:]]


def at_url(hooks: list[Object]) -> list[Object]:
    return [{**hooks[0], "clientConfig": {"url": "https://evil.example.com/"}}, *hooks[1:]]


def at_service(**fields: Any) -> Change:
    """The first webhook at another Service."""

    def change(hooks: list[Object]) -> list[Object]:
        found = copy.deepcopy(hooks)
        found[0]["clientConfig"]["service"] |= fields
        return found

    return change


def another(hooks: list[Object]) -> list[Object]:
    return [*hooks, {**hooks[0], "name": "more.model.example.com"}]


@pytest.mark.parametrize("resource", KINDS)
async def test_bundle_and_path_are_written_and_replaced(
    held: KubeClient, resource: Resource, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        bundle = base64.b64encode(issue(folder).authority.read_bytes()).decode()
        hooks = (await held.get(resource, NAME))["webhooks"]
        for hook in hooks:
            hook["clientConfig"]["caBundle"] = bundle
            hook["clientConfig"]["service"]["path"] = f"/mutate/{name}"
        written = await held.patch(resource, NAME, {"webhooks": hooks})
        assert written["webhooks"] == hooks


@pytest.mark.parametrize("resource", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(first(rules=[RULE]), id="rules"),
        pytest.param(first(failurePolicy="Ignore"), id="failure-policy"),
        pytest.param(first(timeoutSeconds=30), id="timeout"),
        pytest.param(first(matchPolicy="Exact"), id="match-policy"),
        pytest.param(first(matchConditions=[]), id="no-conditions"),
        pytest.param(first(namespaceSelector={"matchLabels": {"a": "b"}}), id="namespaces"),
        pytest.param(first(objectSelector={"matchLabels": {"a": "b"}}), id="objects"),
        pytest.param(first(name="other.model.example.com"), id="name"),
        pytest.param(at_url, id="url"),
        pytest.param(at_service(name="evil"), id="service"),
        pytest.param(at_service(namespace="tenant"), id="service-elsewhere"),
        pytest.param(at_service(port=8443), id="port"),
        pytest.param(another, id="another-webhook"),
        pytest.param(lambda _: [], id="no-webhook"),
    ],
)
async def test_nothing_else_of_a_webhook_is_changed(
    held: KubeClient, resource: Resource, change: Change
) -> None:
    hooks = (await held.get(resource, NAME))["webhooks"]
    assert ONLY in await changed(held, resource, {"webhooks": change(hooks)})


@pytest.mark.parametrize("resource", KINDS)
@pytest.mark.parametrize(
    "meta",
    [
        pytest.param({"annotations": {"cert-manager.io/inject-ca-from": "a/b"}}, id="annotation"),
        pytest.param({"labels": {"a": "b"}}, id="label"),
        pytest.param({"labels": None}, id="no-labels"),
        pytest.param({"finalizers": ["example.com/a"]}, id="finalizer"),
        pytest.param(
            {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "a", "uid": "b"}]},
            id="owner-that-is-not-there",
        ),
    ],
)
async def test_nothing_is_put_on_a_configuration(
    held: KubeClient, resource: Resource, meta: Object
) -> None:
    assert ONLY in await changed(held, resource, {"metadata": meta})


@pytest.mark.parametrize("resource", KINDS)
async def test_no_other_configuration_is_made_changed_or_deleted(
    held: KubeClient, admin: KubeClient, resource: Resource
) -> None:
    name = fresh_name("other")
    body: Object = {"metadata": {"name": name}, "webhooks": []}
    with pytest.raises(KubeRejected, match=ONLY):
        await held.create(resource, body)
    await admin.create(resource, body)
    with pytest.raises(KubeRejected, match=ONLY):
        await held.patch(resource, name, {"metadata": {"labels": {"a": "b"}}})
    for victim in (name, NAME):
        with pytest.raises(KubeRejected, match=ONLY):
            await held.delete(resource, victim)
    await admin.delete(resource, name)


@pytest.mark.parametrize("resource", KINDS)
async def test_an_administrator_changes_all_of_it(
    admin: KubeClient, held: KubeClient, resource: Resource
) -> None:
    hooks = (await admin.get(resource, NAME))["webhooks"]
    change = {"webhooks": first(timeoutSeconds=7)(hooks)}
    assert await admin.patch(resource, NAME, change)
    assert await admin.patch(resource, NAME, {"webhooks": hooks})
