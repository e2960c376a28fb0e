"""What a deletion with `--cascade=orphan` leaves is deleted, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from roadstead.api.group import FIELD_MANAGER, LABEL_MANAGED_BY, LABEL_SERVER_UUID
from roadstead.controllers.orphans import Orphans, orphaned
from roadstead.errors import KubeUnavailable
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import (
    CHILDREN,
    DEPLOYMENTS,
    INGRESSROUTES,
    MODELSERVES,
    SECRETS,
    SERVICES,
    Resource,
)
from roadstead.kube.watch_cache import WatchCache
from tests.unit.kube.memory_api import MemoryApi

SERVER = ("demo", "serve-1")
KINDS = (*CHILDREN, INGRESSROUTES)
OWNED = {"ownerReferences": [{"uid": "serve-1", "name": "gemma"}]}


def child(resource: Resource, name: str = "gemma", **changes: Any) -> Object:
    labels = {LABEL_MANAGED_BY: FIELD_MANAGER, LABEL_SERVER_UUID: "serve-1"}
    meta = {"name": name, "namespace": "demo", "labels": labels, "ownerReferences": []}
    return {"kind": resource.kind, "metadata": {**meta, **changes}}


@dataclasses.dataclass
class World:
    """An API server with the children of a server, and what has been seen of it."""

    api: MemoryApi = dataclasses.field(default_factory=MemoryApi)
    cache: WatchCache = dataclasses.field(default_factory=WatchCache)

    async def left(self, *resources: Resource, **changes: Any) -> None:
        for resource in resources:
            stored = await self.api.create(resource, child(resource, **changes))
            self.cache.put(resource, stored)
        for name in ("gemma-fetch", "gemma-key"):
            await self.api.create(SECRETS, child(SECRETS, name, **changes))
        self.api.writes.clear()

    async def collect(self) -> None:
        await Orphans(client=self.api, cache=self.cache).reconcile(SERVER)

    def kinds(self) -> set[str]:
        return {resource.kind for resource, _, _ in self.api.objects}

    def woken(self, resource: Resource, raw: Object) -> list[tuple[str, str]]:
        return list(orphaned(self.cache, resource, raw))


async def test_all_children_without_an_owner_are_deleted() -> None:
    world = World()
    await world.left(*KINDS)
    await world.collect()
    assert world.kinds() == set()


async def test_after_a_failure_half_way_the_rest_is_found_again() -> None:
    world = World()
    await world.left(*KINDS)
    world.api.faults["delete", "Secret"] = KubeUnavailable("no answer")
    with pytest.raises(KubeUnavailable):
        await world.collect()
    assert world.kinds() == {"Service", "ServiceAccount", "NetworkPolicy", "Secret"}
    for resource in (DEPLOYMENTS, INGRESSROUTES):
        world.cache.remove(resource, ("demo", "gemma"))
    await world.collect()
    assert world.kinds() == set()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(OWNED, id="owned"),
        pytest.param({"managedFields": [{"manager": "kubectl"}]}, id="others'"),
        pytest.param({"labels": {LABEL_SERVER_UUID: "serve-1"}}, id="not-managed"),
    ],
)
async def test_what_is_no_orphan_of_ours_is_left_alone(changes: dict[str, Any]) -> None:
    world = World()
    await world.left(*KINDS, **changes)
    await world.collect()
    assert world.api.writes == []


async def test_children_of_a_server_that_is_there_are_left_alone() -> None:
    world = World()
    await world.left(*KINDS)
    meta = {"name": "gemma", "namespace": "demo", "uid": "serve-1", "resourceVersion": "1"}
    world.cache.put(MODELSERVES, {"metadata": meta})
    await world.collect()
    assert world.api.writes == []


async def test_a_child_that_loses_its_owner_and_a_server_that_goes_wake_the_deletion() -> None:
    world = World()
    await world.left(SERVICES)
    service = world.cache.get(SERVICES, "gemma", "demo")
    assert service is not None
    assert world.woken(SERVICES, dict(service)) == [SERVER]
    assert world.woken(
        MODELSERVES, {"metadata": {"name": "gemma", "namespace": "demo", "uid": "serve-1"}}
    ) == [SERVER]


async def test_a_child_with_an_owner_wakes_nothing() -> None:
    world = World()
    await world.left(SERVICES, **OWNED)
    service = world.cache.get(SERVICES, "gemma", "demo")
    assert service is not None
    assert world.woken(SERVICES, dict(service)) == []
