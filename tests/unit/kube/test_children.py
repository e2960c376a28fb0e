"""Children are written as desired, with no unnecessary write."""

import copy
import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.group import (
    ANNOTATION_DIGEST,
    FIELD_MANAGER,
    LABEL_MANAGED_BY,
    LABEL_SERVER_UUID,
)
from roadstead.errors import KubeConflict, KubeUnavailable, NameTaken
from roadstead.kube.children import Children
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import (
    CHILDREN,
    DEPLOYMENTS,
    MODELSERVES,
    ROUTES,
    SERVICES,
    resource_of,
)
from roadstead.kube.watch_cache import WatchCache
from tests.unit.kube.memory_api import OURS, MemoryApi

SERVER = "serve-1"
KINDS = {
    "Deployment": "apps/v1",
    "Service": "v1",
    "ServiceAccount": "v1",
    "NetworkPolicy": "networking.k8s.io/v1",
}

ROUTE_KINDS = {
    "IngressRoute": "traefik.io/v1alpha1",
    "Middleware": "traefik.io/v1alpha1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
}
EVERY_KIND = [*KINDS, *ROUTE_KINDS]
THEIRS = [{"manager": "kubectl", "operation": "Update"}]


def manifest(kind: str, *, name: str = "gemma", server: str = SERVER, size: int = 1) -> Object:
    return {
        "apiVersion": {**KINDS, **ROUTE_KINDS}[kind],
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "demo",
            "labels": {LABEL_SERVER_UUID: server},
            "annotations": {ANNOTATION_DIGEST: f"digest-{size}"},
            "ownerReferences": [{"uid": server, "name": "gemma"}],
        },
        "spec": {"size": size},
    }


ALL = [manifest(kind) for kind in KINDS]


def owner(server: str = SERVER) -> list[Object]:
    return [{"uid": server, "name": "gemma"}]


@dataclasses.dataclass
class World:
    """An API server, a cache of it, and Children."""

    api: MemoryApi = dataclasses.field(default_factory=MemoryApi)
    cache: WatchCache = dataclasses.field(default_factory=WatchCache)

    def __post_init__(self) -> None:
        self.children = Children(self.api, self.cache)
        serve = {"metadata": {"name": "gemma", "namespace": "demo", "uid": SERVER}}
        self.api.objects[MODELSERVES, "demo", "gemma"] = serve

    async def apply(self, desired: list[Object], server: str = SERVER) -> int:
        return await self.children.apply(desired, server_uuid=server)

    def watch(self) -> None:
        """Update the cache from the API server."""
        for resource in (*CHILDREN, *ROUTES):
            for namespace, name in self.cache.names(resource):
                if (resource, namespace, name) not in self.api.objects:
                    self.cache.remove(resource, (namespace, name))
        for (resource, _, _), raw in self.api.objects.items():
            self.cache.put(resource, raw)

    def restart(self) -> None:
        """Replace the process by a new one with a synced cache."""
        self.cache = WatchCache()
        self.children = Children(self.api, self.cache)
        self.watch()
        self.api.writes.clear()

    async def forge(self, kind: str, changes: dict[str, Any], *, seen: bool) -> Object:
        """Create an object with a child's name as another client, with an additional field."""
        body = manifest(kind)
        body["metadata"] |= {"managedFields": THEIRS, **changes}
        body["spec"] = {"size": 1, "tls": {"secretName": "theirs"}}
        stored = await self.api.create(resource_of(body), body)
        if seen:
            self.watch()
        return stored

    def stored(self, kind: str) -> Object:
        return copy.deepcopy(self.api.objects[resource_of(manifest(kind)), "demo", "gemma"])

    def spec(self, kind: str) -> Any:
        return self.stored(kind)["spec"]


async def test_missing_children_are_created_once() -> None:
    world = World()
    assert await world.apply(ALL) == 4
    assert await world.apply(ALL) == 0
    assert [verb for verb, _, _ in world.api.writes] == ["create"] * 4


async def test_a_restart_writes_nothing_if_nothing_differs() -> None:
    world = World()
    await world.apply(ALL)
    world.restart()
    assert await world.apply(ALL) == 0


async def test_only_a_changed_child_is_applied() -> None:
    world = World()
    await world.apply(ALL)
    world.api.writes.clear()
    await world.apply([manifest("Deployment", size=2), *ALL[1:]])
    assert world.api.writes == [("apply", "Deployment", "gemma")]
    assert world.spec("Deployment") == {"size": 2}


@pytest.mark.parametrize("kind", KINDS)
async def test_drift_is_corrected(kind: str) -> None:
    world = World()
    await world.apply(ALL)
    world.api.edit(resource_of(manifest(kind)), "gemma", {"spec": {"size": 9}})
    world.watch()
    assert await world.apply(ALL) == 1
    assert world.spec(kind) == {"size": 1}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_status_change_causes_no_write(kind: str) -> None:
    world = World()
    await world.apply(ALL)
    world.api.edit(resource_of(manifest(kind)), "gemma", {"status": {"replicas": 1}})
    world.watch()
    assert await world.apply(ALL) == 0


async def test_a_normalized_value_causes_no_loop() -> None:
    world = World()
    world.api.rewrite = lambda stored: stored["spec"].update(size="one")
    await world.apply(ALL)
    assert await world.apply(ALL) == 0
    world.restart()
    assert await world.apply(ALL) == 4
    assert await world.apply(ALL) == 0


async def test_children_missing_in_the_cache_are_applied() -> None:
    world = World()
    await world.apply(ALL)
    world.api.writes.clear()
    late = World(api=world.api)
    assert await late.apply(ALL) == 4
    assert [verb for verb, _, _ in world.api.writes] == ["create", "apply"] * 4
    assert len(world.api.objects) == 5  # and the ModelServe


FORGED: dict[str, dict[str, Any]] = {
    "name": {"labels": {}, "ownerReferences": []},
    "label": {"ownerReferences": []},
    "entry of the manager": {"labels": {}, "ownerReferences": [], "managedFields": OURS},
    "owner and label": {},
    "entry and label": {"ownerReferences": [], "managedFields": OURS},
}
"""Metadata of another client's object that has a child's name."""


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("what", ["name", "label", "entry of the manager"])
@pytest.mark.parametrize("seen", [True, False], ids=["seen", "not-seen"])
async def test_an_object_of_another_owner_is_not_changed(kind: str, what: str, seen: bool) -> None:
    world = World()
    before = await world.forge(kind, FORGED[what], seen=seen)
    with pytest.raises(NameTaken, match="is not owned by this ModelServe"):
        await world.apply([manifest(kind)])
    assert world.stored(kind) == before


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("what", ["owner and label", "entry and label"])
@pytest.mark.parametrize("seen", [True, False], ids=["seen", "not-seen"])
async def test_an_object_with_only_owner_or_manager_is_replaced(
    kind: str, what: str, seen: bool
) -> None:
    world = World()
    before = await world.forge(kind, FORGED[what], seen=seen)
    await world.apply([manifest(kind)])
    after = world.stored(kind)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"] == {"size": 1}


@pytest.mark.parametrize("kind", ROUTE_KINDS)
@pytest.mark.parametrize("restarted", [True, False])
async def test_every_field_of_a_route_is_compared(kind: str, restarted: bool) -> None:
    world = World()
    await world.apply([manifest(kind)])
    spec = {"size": 1, "tls": {"secretName": "theirs"}}
    world.api.edit(resource_of(manifest(kind)), "gemma", {"spec": spec})
    if restarted:
        world.restart()
    world.watch()
    assert await world.apply([manifest(kind)]) == 1
    assert world.stored(kind)["spec"] == {"size": 1}
    assert await world.apply([manifest(kind)]) == 0


async def test_a_forged_route_keeps_no_foreign_field() -> None:
    world = World()
    await world.forge("IngressRoute", {"managedFields": OURS}, seen=True)
    await world.apply([manifest("IngressRoute")])
    assert world.stored("IngressRoute")["spec"] == {"size": 1}


@pytest.mark.parametrize("known", [True, False], ids=["known", "after a restart"])
@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "being deleted"])
async def test_children_of_an_orphaning_deletion_are_not_owned_again(
    known: bool, deleted: bool
) -> None:
    """Their events may arrive before that of the ModelServe."""
    world = World()
    await world.apply(ALL)
    for raw in world.api.objects.values():
        raw["metadata"] |= {"resourceVersion": "900", "ownerReferences": []}
    if deleted:
        del world.api.objects[MODELSERVES, "demo", "gemma"]
    else:
        serve = world.api.objects[MODELSERVES, "demo", "gemma"]
        serve["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    world.watch()
    if not known:
        world.restart()
    with pytest.raises(KubeConflict, match="is being deleted"):
        await world.apply(ALL)
    assert world.stored("ServiceAccount")["metadata"]["ownerReferences"] == []


async def test_a_known_child_that_lost_owner_and_manager_is_kept() -> None:
    world = World()
    await world.apply(ALL)
    before = world.stored("Deployment")
    lost = {"ownerReferences": [], "managedFields": THEIRS}
    world.api.edit(DEPLOYMENTS, "gemma", {"metadata": lost})
    world.watch()
    await world.apply(ALL)
    after = world.stored("Deployment")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["ownerReferences"] == owner()


async def test_an_orphan_of_an_earlier_server_is_a_conflict() -> None:
    world = World()
    changes = {
        "labels": {LABEL_SERVER_UUID: "serve-0", LABEL_MANAGED_BY: FIELD_MANAGER},
        "ownerReferences": [],
        "managedFields": OURS,
    }
    await world.forge("Deployment", changes, seen=True)
    with pytest.raises(KubeConflict, match="of an earlier ModelServe still exists"):
        await world.apply(ALL)


async def test_a_child_of_an_earlier_server_is_a_conflict() -> None:
    world = World()
    await world.apply(ALL, server=SERVER)
    with pytest.raises(KubeConflict, match="of an earlier ModelServe still exists"):
        await world.apply([manifest(kind, server="serve-2") for kind in KINDS], server="serve-2")


async def test_children_that_are_no_longer_desired_are_deleted() -> None:
    world = World()
    await world.apply(ALL)
    assert await world.apply(ALL[:3]) == 1
    assert world.api.writes[-1] == ("delete", "NetworkPolicy", "gemma")


async def test_objects_with_only_the_label_are_not_deleted() -> None:
    world = World()
    theirs = manifest("Service", name="theirs")
    theirs["metadata"]["ownerReferences"] = []
    await world.api.create(SERVICES, theirs)
    world.watch()
    assert await world.apply([]) == 0


async def test_children_being_deleted_are_not_deleted_again() -> None:
    world = World()
    await world.apply(ALL)
    gone = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    world.api.edit(SERVICES, "gemma", gone)
    world.watch()
    desired = [item for item in ALL if item["kind"] != "Service"]
    assert await world.apply(desired) == 0


async def test_only_the_rest_is_written_after_a_failure() -> None:
    world = World()
    world.api.faults["create", "ServiceAccount"] = KubeUnavailable("no answer")
    with pytest.raises(KubeUnavailable):
        await world.apply(ALL)
    world.api.writes.clear()
    assert await world.apply(ALL) == 2
    assert {kind for _, kind, _ in world.api.writes} == {"ServiceAccount", "NetworkPolicy"}


async def test_a_write_with_a_lost_answer_is_not_repeated() -> None:
    world = World()
    await world.api.create(DEPLOYMENTS, ALL[0])
    assert await world.apply(ALL) == 4
    assert len(world.api.objects) == 5  # and the ModelServe


DAMAGE = st.dictionaries(
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(["deleted", "changed", "relabelled", "disowned"]),
)
CHANGES: dict[str, dict[str, Any]] = {
    "changed": {"spec": {"size": 9}},
    "relabelled": {"metadata": {"labels": {}}},
    "disowned": {"metadata": {"ownerReferences": []}},
}


@given(DAMAGE, st.booleans())
async def test_one_apply_corrects_any_change(damage: dict[str, str], restarted: bool) -> None:
    world = World()
    await world.apply(ALL)
    for kind, what in damage.items():
        resource = resource_of(manifest(kind))
        if what == "deleted":
            await world.api.delete(resource, "gemma", namespace="demo")
        else:
            world.api.edit(resource, "gemma", CHANGES[what])
    if restarted:
        world.restart()
    world.watch()
    assert await world.apply(ALL) == len(damage)
    assert await world.apply(ALL) == 0
    for wanted in ALL:
        found = world.api.objects[resource_of(wanted), "demo", "gemma"]
        assert found["spec"] == wanted["spec"]
        assert wanted["metadata"].items() <= found["metadata"].items()
