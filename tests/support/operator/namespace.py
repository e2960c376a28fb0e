"""A namespace with an operator, and what tests create and wait for in it."""

import base64
import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from kubernetes.aio import client

from roadstead.controllers.operator import Operator
from tests.support import custom_objects
from tests.support.builders.objects import GROUP, VERSION, Raw, make_model, make_modelserve
from tests.support.operator.operator_process import operating
from tests.support.operator.site import Site
from tests.support.raw_objects import get_raw, send_raw
from tests.support.waiting import assert_eventually


@dataclasses.dataclass(frozen=True, kw_only=True)
class Operated:
    """A namespace with an operator, and what tests ask and do there."""

    site: Site
    api: client.ApiClient
    namespace: str
    kubeconfig: Path

    def operator(self, **changes: str) -> contextlib.AbstractAsyncContextManager[Operator]:
        """The operator, for as long as the block lasts."""
        return operating(self.site.environ(self.kubeconfig, **changes))

    async def serve(self, **given: Any) -> Raw:
        """Create a ModelServe in the namespace."""
        return await custom_objects.create(self.api, make_modelserve(self.namespace, **given))

    async def model(self, **given: Any) -> Raw:
        """Create a Model."""
        return await custom_objects.create(self.api, make_model(**given))

    async def says(self, body: Raw, type_: str, reason: str, timeout: float = 120) -> Raw:
        """Wait until a condition has this reason; the object as it is then."""
        found: Raw = {}

        async def said() -> bool:
            nonlocal found
            found = await custom_objects.get(self.api, body)
            assert condition(found, type_).get("reason") == reason, found.get("status")
            return True

        await assert_eventually(said, timeout=timeout)
        return found

    async def served(self, body: Raw, timeout: float = 120) -> Raw:
        """Wait until a ModelServe has its Deployment and says so; the Deployment."""
        await self.says(body, "ModelAvailable", "Verified", timeout)
        await assert_eventually(lambda: self.has("deployments", body["metadata"]["name"]))
        return await self.child("deployments", body["metadata"]["name"])

    async def secret(self, name: str, url: str) -> None:
        """Write a Secret with a URL; one of that name gets the new URL."""
        data = {"url": base64.b64encode(url.encode()).decode()}
        if await self.has("secrets", name):
            await send_raw(self.api, "PATCH", f"{self.path('secrets')}/{name}", {"data": data})
            return
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
        await send_raw(self.api, "POST", self.path("secrets"), body)

    async def has(self, plural: str, name: str) -> bool:
        """Whether the namespace has this child."""
        return name in [item["metadata"]["name"] for item in await self.children(plural)]

    async def child(self, plural: str, name: str) -> Raw:
        """One child."""
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
    "jobs": "/apis/batch/v1",
    "modelserves": f"/apis/{GROUP}/{VERSION}",
}


async def cleared(api: client.ApiClient) -> None:
    """Take every Model and ModelServe away, finalizers too: there is no operator to do it."""
    for plural in ("modelserves", "models"):
        for body in await listed(api, plural):
            if body["metadata"].get("finalizers"):
                await custom_objects.patch(api, body, {"metadata": {"finalizers": None}})
            if not body["metadata"].get("deletionTimestamp"):
                await custom_objects.delete(api, body)


async def listed(api: client.ApiClient, plural: str) -> list[Raw]:
    """Every object of one of our kinds."""
    custom = client.CustomObjectsApi(api)
    found = await custom.list_cluster_custom_object(GROUP, VERSION, plural)
    items: list[Raw] = cast(Raw, found)["items"]
    return items


def condition(body: Raw, type_: str) -> Raw:
    """One condition of an object's status; empty before there is one."""
    for item in body.get("status", {}).get("conditions", ()):
        if item["type"] == type_:
            found: Raw = item
            return found
    return {}
