"""A namespace with an operator, and helpers to create objects and wait for their state."""

import base64
import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from kubernetes.aio import client

from roadstead.process.operator import Operator
from tests.support import custom_objects
from tests.support.builders.objects import GROUP, VERSION, Raw, make_model, make_modelserve
from tests.support.operator.operator_process import operating
from tests.support.operator.site import Site
from tests.support.raw_objects import get_raw, send_raw
from tests.support.waiting import assert_eventually


@dataclasses.dataclass(frozen=True, kw_only=True)
class Operated:
    """A namespace with an operator, and a client of the API server."""

    site: Site
    api: client.ApiClient
    namespace: str
    kubeconfig: Path

    def operator(self, **changes: str) -> contextlib.AbstractAsyncContextManager[Operator]:
        """Run the operator while the block runs."""
        return operating(self.site.environ(self.kubeconfig, **changes))

    async def serve(self, **given: Any) -> Raw:
        """Create a ModelServe in the namespace."""
        return await custom_objects.create(self.api, make_modelserve(self.namespace, **given))

    async def model(self, **given: Any) -> Raw:
        """Create a Model."""
        return await custom_objects.create(self.api, make_model(**given))

    async def wait_for_reason(
        self, body: Raw, type_: str, reason: str, timeout: float = 120
    ) -> Raw:
        """Wait until a condition has this reason; returns the object."""
        found: Raw = {}

        async def has_reason() -> bool:
            nonlocal found
            found = await custom_objects.get(self.api, body)
            assert condition(found, type_).get("reason") == reason, found.get("status")
            return True

        await assert_eventually(has_reason, timeout=timeout)
        return found

    async def wait_for_deployment(self, body: Raw, timeout: float = 120) -> Raw:
        """Wait until a ModelServe's Model is verified and its Deployment exists; returns that."""
        await self.wait_for_reason(body, "ModelAvailable", "Verified", timeout)
        await assert_eventually(lambda: self.has("deployments", body["metadata"]["name"]))
        return await self.child("deployments", body["metadata"]["name"])

    async def secret(self, name: str, url: str) -> None:
        """Create a Secret with a URL, or update it."""
        data = {"url": base64.b64encode(url.encode()).decode()}
        if await self.has("secrets", name):
            await send_raw(self.api, "PATCH", f"{self.path('secrets')}/{name}", {"data": data})
            return
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
        await send_raw(self.api, "POST", self.path("secrets"), body)

    async def has(self, plural: str, name: str) -> bool:
        """Whether the namespace has an object of this kind and name."""
        return name in [item["metadata"]["name"] for item in await self.children(plural)]

    async def child(self, plural: str, name: str) -> Raw:
        """An object in the namespace."""
        return await get_raw(self.api, f"{self.path(plural)}/{name}")

    async def children(self, plural: str) -> list[Raw]:
        """All objects of a kind in the namespace."""
        items: list[Raw] = (await get_raw(self.api, self.path(plural)))["items"]
        return items

    def path(self, plural: str) -> str:
        """The collection of a kind in the namespace."""
        return f"{_ROOTS.get(plural, '/api/v1')}/namespaces/{self.namespace}/{plural}"


_ROOTS: Mapping[str, str] = {
    "deployments": "/apis/apps/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
    "jobs": "/apis/batch/v1",
    "modelserves": f"/apis/{GROUP}/{VERSION}",
}


async def delete_all(api: client.ApiClient) -> None:
    """Delete all Models and ModelServes with their finalizers: no operator is running."""
    for plural in ("modelserves", "models"):
        for body in await list_all(api, plural):
            if body["metadata"].get("finalizers"):
                await custom_objects.patch(api, body, {"metadata": {"finalizers": None}})
            if not body["metadata"].get("deletionTimestamp"):
                await custom_objects.delete(api, body)


async def list_all(api: client.ApiClient, plural: str) -> list[Raw]:
    """All objects of one of our kinds."""
    custom = client.CustomObjectsApi(api)
    found = await custom.list_cluster_custom_object(GROUP, VERSION, plural)
    items: list[Raw] = cast(Raw, found)["items"]
    return items


def condition(body: Raw, type_: str) -> Raw:
    """A condition in an object's status; empty if it doesn't exist."""
    for item in body.get("status", {}).get("conditions", ()):
        if item["type"] == type_:
            found: Raw = item
            return found
    return {}
