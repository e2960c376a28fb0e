"""Objects with a child's name or label that are not children, and orphaned children."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client

from roadstead.api.group import LABEL_MANAGED_BY, LABEL_SERVER_UUID
from tests.support.builders.objects import Raw
from tests.support.operator.namespace import Operated, condition
from tests.support.operator.routes import ROOTS, gateway_settings, install_kinds, route_path
from tests.support.raw_objects import get_raw, send_raw
from tests.support.waiting import assert_eventually

POD = {"containers": [{"name": "theirs", "image": "theirs:1"}]}
TEMPLATE = {"metadata": {"labels": {"app": "theirs"}}, "spec": POD}
SELECTOR = {"matchLabels": {"app": "theirs"}}
ROUTE = {"kind": "Rule", "match": "Host(`theirs`)", "services": [{"name": "theirs", "port": 80}]}
CHILDREN: dict[str, tuple[str, Raw]] = {
    "deployments": ("gemma", {"spec": {"selector": SELECTOR, "template": TEMPLATE}}),
    "services": ("gemma", {"spec": {"ports": [{"port": 80}]}}),
    "serviceaccounts": ("gemma", {}),
    "networkpolicies": ("gemma", {"spec": {"podSelector": {}}}),
    "poddisruptionbudgets": ("gemma", {"spec": {"maxUnavailable": 0, "selector": {}}}),
    "secrets": ("gemma-fetch", {"stringData": {"theirs": "theirs"}}),
    "ingressroutes": ("gemma", {"spec": {"routes": [ROUTE], "tls": {"secretName": "theirs"}}}),
    "middlewares": ("gemma-auth", {"spec": {"compress": {}}}),
}
"""The name of one child of each kind, and another client's object of that name."""

KINDS = {
    "deployments": ("apps/v1", "Deployment"),
    "services": ("v1", "Service"),
    "serviceaccounts": ("v1", "ServiceAccount"),
    "networkpolicies": ("networking.k8s.io/v1", "NetworkPolicy"),
    "poddisruptionbudgets": ("policy/v1", "PodDisruptionBudget"),
    "secrets": ("v1", "Secret"),
    "ingressroutes": ("traefik.io/v1alpha1", "IngressRoute"),
    "middlewares": ("traefik.io/v1alpha1", "Middleware"),
}
WATCHED = ("deployments", "services", "serviceaccounts", "networkpolicies", "poddisruptionbudgets")


@pytest.fixture
async def gateway(api: client.ApiClient, tmp_path: Path) -> dict[str, str]:
    """The settings of an operator with a gateway, whose kinds are installed."""
    await install_kinds(api)
    return gateway_settings(tmp_path)


@pytest.mark.parametrize("plural", CHILDREN)
async def test_a_label_does_not_make_an_object_a_child(
    operated: Operated, gateway: dict[str, str], plural: str
) -> None:
    serve = await operated.serve(name="gemma", modelName=operated.site.publish(), replicas=2)
    before = await forge(operated, serve, plural, owned=False)
    async with operated.operator(**gateway):
        found = await operated.wait_for_reason(serve, "WorkloadReady", "NameTaken")
        after = await get_raw(operated.api, place(operated, plural))
    assert "is not owned by this ModelServe" in condition(found, "WorkloadReady")["message"]
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


@pytest.mark.parametrize("plural", [each for each in CHILDREN if each != "secrets"])
async def test_an_object_with_our_owner_reference_is_replaced(
    operated: Operated, gateway: dict[str, str], plural: str
) -> None:
    serve = await operated.serve(name="gemma", modelName=operated.site.publish(), replicas=2)
    before = await forge(operated, serve, plural, owned=True)

    async def replaced() -> bool:
        after = await get_raw(operated.api, place(operated, plural))
        return bool(after["metadata"]["uid"] != before["metadata"]["uid"])

    async with operated.operator(**gateway):
        await assert_eventually(replaced)
        await operated.wait_for_deployment(serve)
        after = await get_raw(operated.api, place(operated, plural))
    assert "theirs" not in str(after.get("spec"))


async def test_a_forged_route_keeps_no_foreign_certificate(
    operated: Operated, gateway: dict[str, str]
) -> None:
    serve = await operated.serve(name="gemma", modelName=operated.site.publish())
    await forge(operated, serve, "ingressroutes", owned=True, manager="roadstead")
    async with operated.operator(**gateway):
        await operated.wait_for_deployment(serve)
        after = await get_raw(operated.api, place(operated, "ingressroutes"))
    assert "theirs" not in str(after["spec"])


@pytest.mark.parametrize(("kind", "routes"), [("traefik", 7), ("gateway-api", 6)])
async def test_a_restart_writes_no_route(
    operated: Operated, gateway: dict[str, str], kind: str, routes: int
) -> None:
    settings = {**gateway, "ROADSTEAD_GATEWAY_KIND": kind}
    async with operated.operator(**settings):
        await operated.wait_for_deployment(
            await operated.serve(name="gemma", modelName=operated.site.publish())
        )
        before = await route_versions(operated)
    async with operated.operator(**settings):
        await operated.wait_for_reason(
            await operated.serve(modelName="nobody"), "Ready", "ModelUnknown"
        )
        assert await route_versions(operated) == before
    assert len(before) == routes


async def test_children_of_an_orphaning_deletion_are_deleted(
    operated: Operated, gateway: dict[str, str]
) -> None:
    async with operated.operator(**gateway):
        serve = await operated.serve(name="gemma", modelName=operated.site.publish(), replicas=2)
        await operated.wait_for_deployment(serve)
        await orphan(operated, serve)
        await assert_eventually(lambda: nothing_is_left(operated))


async def test_orphans_are_found_after_a_restart(
    operated: Operated, gateway: dict[str, str]
) -> None:
    async with operated.operator(**gateway):
        serve = await operated.serve(name="gemma", modelName=operated.site.publish())
        await operated.wait_for_deployment(serve)
    await orphan(operated, serve)
    async with operated.operator(**gateway):
        await assert_eventually(lambda: nothing_is_left(operated))


async def orphan(operated: Operated, serve: Raw) -> None:
    """Delete with `--cascade=orphan`, and act as the garbage collector, which does not run here."""
    whole = f"{operated.path('modelserves')}/{serve['metadata']['name']}"
    await send_raw(operated.api, "DELETE", f"{whole}?propagationPolicy=Orphan")
    for plural in (*WATCHED, "secrets", *ROOTS):
        for item in (await get_raw(operated.api, path(operated, plural)))["items"]:
            at = f"{path(operated, plural)}/{item['metadata']['name']}"
            await send_raw(operated.api, "PATCH", at, {"metadata": {"ownerReferences": None}})
    await send_raw(operated.api, "PATCH", whole, {"metadata": {"finalizers": None}})


async def nothing_is_left(operated: Operated) -> bool:
    for plural in (*WATCHED, "secrets", *ROOTS):
        found = (await get_raw(operated.api, path(operated, plural)))["items"]
        assert found == [], plural
    return True


async def forge(
    operated: Operated, serve: Raw, plural: str, *, owned: bool, manager: str = "kubectl"
) -> Raw:
    """Create another client's object with a child's name, our labels and optionally the owner."""
    name, content = CHILDREN[plural]
    version, kind = KINDS[plural]
    uid = serve["metadata"]["uid"]
    meta: dict[str, Any] = {
        "name": name,
        "labels": {LABEL_MANAGED_BY: "roadstead", LABEL_SERVER_UUID: uid},
    }
    if owned:
        reference = {"apiVersion": serve["apiVersion"], "kind": serve["kind"], "uid": uid}
        meta["ownerReferences"] = [{**reference, "name": serve["metadata"]["name"]}]
    body = {"apiVersion": version, "kind": kind, "metadata": meta, **content}
    at = f"{path(operated, plural)}?fieldManager={manager}"
    return await send_raw(operated.api, "POST", at, body)


def path(operated: Operated, plural: str) -> str:
    return route_path(operated, plural) if plural in ROOTS else operated.path(plural)


def place(operated: Operated, plural: str) -> str:
    return f"{path(operated, plural)}/{CHILDREN[plural][0]}"


async def route_versions(operated: Operated) -> dict[str, str]:
    """The resourceVersion of each route and middleware."""
    found = [
        item["metadata"]
        for plural in ROOTS
        for item in (await get_raw(operated.api, path(operated, plural)))["items"]
    ]
    return {meta["uid"]: meta["resourceVersion"] for meta in found}
