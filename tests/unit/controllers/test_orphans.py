"""Children of a deletion with `--cascade=orphan` are deleted, and nothing else."""

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
    """An API server with the children of a server, and a cache of it."""

    api: MemoryApi = dataclasses.field(default_factory=MemoryApi)
    cache: WatchCache = dataclasses.field(default_factory=WatchCache)

    async def create_children(self, *resources: Resource, **changes: Any) -> None:
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

    def queued(self, resource: Resource, raw: Object) -> list[tuple[str, str]]:
        return list(orphaned(self.cache, resource, raw))


async def test_all_children_without_an_owner_are_deleted() -> None:
    world = World()
    await world.create_children(*KINDS)
    await world.collect()
    assert world.kinds() == set()


async def test_copies_of_pull_secrets_without_an_owner_are_deleted() -> None:
    world = World()
    await world.create_children(DEPLOYMENTS)
    await world.api.create(SECRETS, child(SECRETS, "gemma-pull-regcred"))
    orphans = Orphans(client=world.api, cache=world.cache, pull_secrets=("regcred",))
    await orphans.reconcile(SERVER)
    assert world.kinds() == set()


async def test_the_rest_is_found_again_after_a_failure() -> None:
    world = World()
    await world.create_children(*KINDS)
    world.api.faults["delete", "Secret"] = KubeUnavailable("no answer")
    with pytest.raises(KubeUnavailable):
        await world.collect()
    last = {"Service", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget"}
    assert world.kinds() == last | {"Secret"}
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
async def test_other_objects_are_not_deleted(changes: dict[str, Any]) -> None:
    world = World()
    await world.create_children(*KINDS, **changes)
    await world.collect()
    assert world.api.writes == []


async def test_children_of_an_existing_server_are_not_deleted() -> None:
    world = World()
    await world.create_children(*KINDS)
    meta = {"name": "gemma", "namespace": "demo", "uid": "serve-1", "resourceVersion": "1"}
    world.cache.put(MODELSERVES, {"metadata": meta})
    await world.collect()
    assert world.api.writes == []


async def test_a_lost_owner_and_a_deleted_server_queue_the_deletion() -> None:
    world = World()
    await world.create_children(SERVICES)
    service = world.cache.get(SERVICES, "gemma", "demo")
    assert service is not None
    assert world.queued(SERVICES, dict(service)) == [SERVER]
    assert world.queued(
        MODELSERVES, {"metadata": {"name": "gemma", "namespace": "demo", "uid": "serve-1"}}
    ) == [SERVER]


async def test_a_child_with_an_owner_queues_nothing() -> None:
    world = World()
    await world.create_children(SERVICES, **OWNED)
    service = world.cache.get(SERVICES, "gemma", "demo")
    assert service is not None
    assert world.queued(SERVICES, dict(service)) == []
