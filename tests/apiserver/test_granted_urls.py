"""Pods of a running server fetch its granted Model again, whatever the spec has become."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable

import pytest
from kubernetes.aio import client

from roadstead.api.group import ANNOTATION_RECEIPT
from tests.apiserver.test_admission_recheck import Tenant, key, model, tenant
from tests.apiserver.test_granted import Restartable, operator, published
from tests.apiserver.test_held_to_grants import forge_pod, secrets, the_model
from tests.support import custom_objects
from tests.support.builders.objects import Raw, make_model
from tests.support.waiting import assert_eventually

__all__ = ["key", "model", "operator", "published", "tenant"]

Change = Callable[[Tenant, Raw, str], Awaitable[None]]


async def without_receipt(tenant: Tenant, serve: Raw, other_uid: str) -> None:
    """Name another Model, past the webhooks."""
    await custom_objects.patch(tenant.api, serve, {"spec": {"modelUuid": other_uid}})
    await tenant.has(serve, "False", "ReceiptOtherSpec")


async def beyond_the_contract(tenant: Tenant, serve: Raw, other_uid: str) -> None:
    """Name another Model with a receipt, but more replicas than the contract allows."""
    await admitted_change(tenant, serve, {"modelUuid": other_uid, "replicas": 5})
    await tenant.has(serve, "False", "OverTotal")


async def of_another_location(tenant: Tenant, serve: Raw, _: str) -> None:
    """Name a location that the Model does not have, as admitted."""
    await admitted_change(tenant, serve, {"minioPath": "elsewhere.gguf"})
    await tenant.has(serve, "True", "Accepted")


async def admitted_change(tenant: Tenant, serve: Raw, spec: Raw) -> None:
    stored = await custom_objects.get(tenant.api, serve)
    changed = {**stored, "spec": {**stored["spec"], **spec}}
    annotations = {ANNOTATION_RECEIPT: tenant.receipt(changed)}
    changes = {"metadata": {"annotations": annotations}, "spec": spec}
    await custom_objects.patch(tenant.api, serve, changes)


@pytest.mark.parametrize("change", [without_receipt, beyond_the_contract, of_another_location])
async def test_a_waiting_pod_gets_a_url_of_what_was_granted(
    tenant: Tenant, operator: Restartable, change: Change
) -> None:
    serve = await tenant.admitted(await tenant.contract(total={"replicas": 2}))
    await tenant.runs(serve, 1)
    other = await custom_objects.create(tenant.api, make_model())
    await change(tenant, serve, other["metadata"]["uid"])
    # The operator remembers the Secret that it wrote, until it restarts.
    await asyncio.to_thread(operator.end)
    await remove_url(tenant, serve)
    await forge_pod(tenant, serve)
    await asyncio.to_thread(operator.restart)

    async def has_url() -> bool:
        return bool(await secrets(tenant, serve))

    await assert_eventually(has_url)
    assert (await the_model(tenant))["status"]["minioPath"] in await url_of(tenant, serve)


async def remove_url(tenant: Tenant, serve: Raw) -> None:
    name = f"{serve['metadata']['name']}-fetch"
    await client.CoreV1Api(tenant.api).delete_namespaced_secret(name, tenant.namespace)


async def url_of(tenant: Tenant, serve: Raw) -> str:
    (secret,) = await secrets(tenant, serve)
    return base64.b64decode(secret.data["url"]).decode()
