"""A Deployment written by a tenant proves nothing: the grant is in the server's status."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import pytest
from kubernetes.aio import client

from roadstead.api.group import LABEL_MANAGED_BY, LABEL_SERVER_UUID
from tests.apiserver.test_admission_recheck import Tenant, key, model, operator, published, tenant
from tests.apiserver.test_granted import granted, memory_of, roll_out
from tests.support import custom_objects
from tests.support.builders.objects import Raw, make_model
from tests.support.builders.pods import replica_set

__all__ = ["key", "model", "operator", "published", "tenant"]

FORGERIES = ["name", "label", "owner", "owner and manager"]
CONTAINER = {"name": "theirs", "image": "theirs:1"}
PAST = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_server_without_a_receipt_gets_no_url(tenant: Tenant, forgery: str) -> None:
    serve = await tenant.serve(await tenant.contract())
    await tenant.has(serve, "False", "ReceiptMissing")
    await forge(tenant, serve, forgery, replicas=1)
    await forge_pod(tenant, serve)
    await worked_off(tenant)
    assert await secrets(tenant, serve) == []


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_contract_that_has_ended_starts_nothing(tenant: Tenant, forgery: str) -> None:
    contract = await tenant.contract(expiresAt=PAST, enforcement="Report")
    serve = await tenant.serve(contract, replicas=5)
    await forge(tenant, serve, forgery, replicas=5)
    await forge_pod(tenant, serve)
    await tenant.annotate(serve, tenant.receipt(serve))
    await tenant.has(serve, "False", "ContractExpired")
    await worked_off(tenant)
    assert await image(tenant, serve) == "theirs:1"
    assert await secrets(tenant, serve) == []


async def test_a_deployment_that_is_scaled_by_hand_lifts_no_total(tenant: Tenant) -> None:
    serve = await tenant.admitted(await tenant.contract(total={"replicas": 2}), replicas=1)
    await tenant.runs(serve, 1)
    await custom_objects.patch(tenant.api, serve, {"spec": {"replicas": 50}})
    await tenant.has(serve, "False", "OverTotal")
    await scale(tenant, serve, 50)
    await tenant.runs(serve, 1)


async def test_a_server_that_is_frozen_has_no_more_replicas_than_were_granted(
    tenant: Tenant,
) -> None:
    serve = await tenant.admitted(await tenant.contract(), replicas=2)
    await tenant.runs(serve, 2)
    await custom_objects.patch(
        tenant.api, serve, {"spec": {"runtimeParams": {"contextSize": 8192}}}
    )
    await tenant.has(serve, "False", "ReceiptOtherSpec")
    await scale(tenant, serve, 50)
    await tenant.runs(serve, 2)


async def test_an_old_receipt_brings_no_more_memory_than_was_granted(tenant: Tenant) -> None:
    large = {"limits": {"cpu": "1", "memory": "8Gi"}}
    contract = await tenant.contract(enforcement="Report")
    serve = await tenant.admitted(contract, resources=large)
    await tenant.runs(serve, 1)
    receipt = tenant.receipt(serve)
    small = await custom_objects.patch(
        tenant.api, serve, {"spec": {"resources": {"limits": {"memory": "1Gi"}}}}
    )
    await tenant.annotate(small, tenant.receipt(small))
    await memory_of(tenant, serve, "1Gi")
    await roll_out(tenant, serve)
    await granted(tenant, serve, "1Gi")
    await custom_objects.patch(tenant.api, contract, {"spec": {"total": {"memory": "512Mi"}}})
    await tenant.has(serve, "False", "OverTotal")
    again = await custom_objects.patch(tenant.api, serve, {"spec": {"resources": large}})
    await tenant.annotate(again, receipt)
    await worked_off(tenant)
    await memory_of(tenant, serve, "1Gi")


async def test_a_server_of_no_replicas_gets_a_url_with_its_first(tenant: Tenant) -> None:
    serve = await tenant.admitted(await tenant.contract(), replicas=0)
    await tenant.runs(serve, 0)
    await worked_off(tenant)
    assert await secrets(tenant, serve) == []
    await custom_objects.patch(tenant.api, serve, {"spec": {"replicas": 1}})
    await tenant.runs(serve, 1)
    (secret,) = await secrets(tenant, serve)
    expires = datetime.datetime.fromisoformat(
        secret.metadata.annotations["model.example.com/expires-at"]
    )
    assert expires - datetime.datetime.now(datetime.UTC) < datetime.timedelta(hours=1)


async def test_a_frozen_server_gets_no_url_of_another_model(tenant: Tenant) -> None:
    serve = await tenant.admitted(await tenant.contract())
    await tenant.runs(serve, 1)
    other = await custom_objects.create(tenant.api, make_model())
    uid = other["metadata"]["uid"]
    path = f"{other['metadata']['name']}/{uid}.gguf"
    status = {**(await the_model(tenant))["status"], "minioPath": path}
    await custom_objects.patch(tenant.api, other, {"status": status}, "status")
    await custom_objects.patch(tenant.api, serve, {"spec": {"modelUuid": uid}})
    await tenant.has(serve, "False", "ReceiptOtherSpec")
    await forge_pod(tenant, serve)
    await worked_off(tenant)
    (secret,) = await secrets(tenant, serve)
    assert uid not in base64.b64decode(secret.data["url"]).decode()


async def the_model(tenant: Tenant) -> Raw:
    """The Model that the tenant's servers name."""
    return await custom_objects.get(tenant.api, make_model(name=tenant.model))


async def forge(tenant: Tenant, serve: Raw, forgery: str, *, replicas: int) -> None:
    """A tenant's Deployment by the name of the server's, with more and more signs of ours."""
    labels = {LABEL_MANAGED_BY: "roadstead"}
    meta: dict[str, Any] = {"name": serve["metadata"]["name"], "labels": labels}
    if forgery != "name":
        labels[LABEL_SERVER_UUID] = serve["metadata"]["uid"]
    if forgery.startswith("owner"):
        meta["ownerReferences"] = [owner(serve)]
    template = {"metadata": {"labels": {"app": "theirs"}}, "spec": {"containers": [CONTAINER]}}
    spec = {"selector": {"matchLabels": {"app": "theirs"}}, "template": template}
    body: Any = {"metadata": meta, "spec": {**spec, "replicas": replicas}}
    manager = "roadstead" if forgery == "owner and manager" else "kubectl"
    apps = client.AppsV1Api(tenant.api)
    await apps.create_namespaced_deployment(tenant.namespace, body, field_manager=manager)


async def forge_pod(tenant: Tenant, serve: Raw) -> None:
    """A pod as the server's Deployment would have it, which waits."""
    name = serve["metadata"]["name"]
    labels = {
        LABEL_MANAGED_BY: "roadstead",
        LABEL_SERVER_UUID: serve["metadata"]["uid"],
        "pod-template-hash": "hash",
    }
    meta = {"name": f"{name}-1", "labels": labels, "ownerReferences": [replica_set(name, "hash")]}
    body: Any = {"metadata": meta, "spec": {"containers": [CONTAINER], "nodeName": "node"}}
    await client.CoreV1Api(tenant.api).create_namespaced_pod(tenant.namespace, body)


def owner(serve: Raw) -> Raw:
    kept = {key: serve["metadata"][key] for key in ("name", "uid")}
    return {"apiVersion": serve["apiVersion"], "kind": serve["kind"], "controller": True, **kept}


async def worked_off(tenant: Tenant) -> None:
    """Wait until the operator has started a server that was admitted just now."""
    contract = await tenant.contract()
    await tenant.runs(await tenant.admitted(contract), 1)


async def scale(tenant: Tenant, serve: Raw, replicas: int) -> None:
    body: Any = {"spec": {"replicas": replicas}}
    apps = client.AppsV1Api(tenant.api)
    await apps.patch_namespaced_deployment(serve["metadata"]["name"], tenant.namespace, body)


async def container(tenant: Tenant, serve: Raw) -> Any:
    """The first container of the server's Deployment."""
    apps = client.AppsV1Api(tenant.api)
    found: Any = await apps.read_namespaced_deployment(serve["metadata"]["name"], tenant.namespace)
    return found.spec.template.spec.containers[0]


async def image(tenant: Tenant, serve: Raw) -> str:
    return str((await container(tenant, serve)).image)


async def secrets(tenant: Tenant, serve: Raw) -> list[Any]:
    """The server's Secrets."""
    found: Any = await client.CoreV1Api(tenant.api).list_namespaced_secret(tenant.namespace)
    name = serve["metadata"]["name"]
    return [each for each in found.items if each.metadata.name == f"{name}-fetch"]
