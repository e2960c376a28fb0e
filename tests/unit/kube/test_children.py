"""Children are brought to what is desired, with no write too many."""

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
from roadstead.kube.resources import CHILDREN, DEPLOYMENTS, ROUTES, SERVICES, resource_of
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
    """An API server, what has been seen of it, and who brings children there."""

    api: MemoryApi = dataclasses.field(default_factory=MemoryApi)
    cache: WatchCache = dataclasses.field(default_factory=WatchCache)

    def __post_init__(self) -> None:
        self.children = Children(self.api, self.cache)

    async def apply(self, desired: list[Object], server: str = SERVER) -> int:
        return await self.children.apply(desired, server_uuid=server)

    def watch(self) -> None:
        """See all that is there now."""
        for resource in (*CHILDREN, *ROUTES):
            for namespace, name in self.cache.names(resource):
                if (resource, namespace, name) not in self.api.objects:
                    self.cache.remove(resource, (namespace, name))
        for (resource, _, _), raw in self.api.objects.items():
            self.cache.put(resource, raw)

    def restart(self) -> None:
        """Another process that has seen all that is there."""
        self.cache = WatchCache()
        self.children = Children(self.api, self.cache)
        self.watch()
        self.api.writes.clear()

    async def forge(self, kind: str, changes: dict[str, Any], *, seen: bool) -> Object:
        """Somebody else makes an object by a child's name, with a field of his own."""
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


async def test_what_is_not_there_is_created_once() -> None:
    world = World()
    assert await world.apply(ALL) == 4
    assert await world.apply(ALL) == 0
    assert [verb for verb, _, _ in world.api.writes] == ["create"] * 4


async def test_another_process_writes_nothing_where_all_is_as_desired() -> None:
    world = World()
    await world.apply(ALL)
    world.restart()
    assert await world.apply(ALL) == 0


async def test_only_the_child_that_is_rendered_otherwise_is_applied() -> None:
    world = World()
    await world.apply(ALL)
    world.api.writes.clear()
    await world.apply([manifest("Deployment", size=2), *ALL[1:]])
    assert world.api.writes == [("apply", "Deployment", "gemma")]
    assert world.spec("Deployment") == {"size": 2}


@pytest.mark.parametrize("kind", KINDS)
async def test_what_others_changed_is_put_right(kind: str) -> None:
    world = World()
    await world.apply(ALL)
    world.api.edit(resource_of(manifest(kind)), "gemma", {"spec": {"size": 9}})
    world.watch()
    assert await world.apply(ALL) == 1
    assert world.spec(kind) == {"size": 1}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_new_status_is_no_reason_to_write(kind: str) -> None:
    world = World()
    await world.apply(ALL)
    world.api.edit(resource_of(manifest(kind)), "gemma", {"status": {"replicas": 1}})
    world.watch()
    assert await world.apply(ALL) == 0


async def test_a_value_that_the_server_writes_otherwise_starts_no_loop() -> None:
    world = World()
    world.api.rewrite = lambda stored: stored["spec"].update(size="one")
    await world.apply(ALL)
    assert await world.apply(ALL) == 0
    world.restart()
    assert await world.apply(ALL) == 4
    assert await world.apply(ALL) == 0


async def test_children_that_the_watch_has_not_told_of_yet_are_applied() -> None:
    world = World()
    await world.apply(ALL)
    world.api.writes.clear()
    late = World(api=world.api)
    assert await late.apply(ALL) == 4
    assert [verb for verb, _, _ in world.api.writes] == ["create", "apply"] * 4
    assert len(world.api.objects) == 4


FORGED: dict[str, dict[str, Any]] = {
    "name": {"labels": {}, "ownerReferences": []},
    "label": {"ownerReferences": []},
    "entry of the manager": {"labels": {}, "ownerReferences": [], "managedFields": OURS},
    "owner and label": {},
    "entry and label": {"ownerReferences": [], "managedFields": OURS},
}
"""What others write into the metadata of an object that has a child's name."""


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("what", ["name", "label", "entry of the manager"])
@pytest.mark.parametrize("seen", [True, False], ids=["seen", "not-seen"])
async def test_a_name_that_somebody_else_has_stays_theirs(kind: str, what: str, seen: bool) -> None:
    world = World()
    before = await world.forge(kind, FORGED[what], seen=seen)
    with pytest.raises(NameTaken, match="is not owned by this ModelServe"):
        await world.apply([manifest(kind)])
    assert world.stored(kind) == before


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("what", ["owner and label", "entry and label"])
@pytest.mark.parametrize("seen", [True, False], ids=["seen", "not-seen"])
async def test_what_has_one_sign_of_two_is_replaced_never_adopted(
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
async def test_of_a_route_every_field_is_as_desired(kind: str, restarted: bool) -> None:
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


async def test_a_route_that_others_made_with_every_sign_of_ours_keeps_nothing_of_theirs() -> None:
    world = World()
    await world.forge("IngressRoute", {"managedFields": OURS}, seen=True)
    await world.apply([manifest("IngressRoute")])
    assert world.stored("IngressRoute")["spec"] == {"size": 1}


async def test_what_lost_its_signs_while_we_looked_is_kept() -> None:
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


async def test_an_orphan_of_an_earlier_serve_is_waited_for() -> None:
    world = World()
    changes = {
        "labels": {LABEL_SERVER_UUID: "serve-0", LABEL_MANAGED_BY: FIELD_MANAGER},
        "ownerReferences": [],
        "managedFields": OURS,
    }
    await world.forge("Deployment", changes, seen=True)
    with pytest.raises(KubeConflict, match="of an earlier ModelServe still exists"):
        await world.apply(ALL)


async def test_what_an_earlier_serve_of_this_name_left_is_waited_for() -> None:
    world = World()
    await world.apply(ALL, server=SERVER)
    with pytest.raises(KubeConflict, match="of an earlier ModelServe still exists"):
        await world.apply([manifest(kind, server="serve-2") for kind in KINDS], server="serve-2")


async def test_what_is_not_desired_any_more_is_deleted() -> None:
    world = World()
    await world.apply(ALL)
    assert await world.apply(ALL[:3]) == 1
    assert world.api.writes[-1] == ("delete", "NetworkPolicy", "gemma")


async def test_what_only_wears_the_label_is_not_deleted() -> None:
    world = World()
    theirs = manifest("Service", name="theirs")
    theirs["metadata"]["ownerReferences"] = []
    await world.api.create(SERVICES, theirs)
    world.watch()
    assert await world.apply([]) == 0


async def test_what_is_being_deleted_is_not_deleted_again() -> None:
    world = World()
    await world.apply(ALL)
    gone = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    world.api.edit(SERVICES, "gemma", gone)
    world.watch()
    desired = [item for item in ALL if item["kind"] != "Service"]
    assert await world.apply(desired) == 0


async def test_after_a_failure_half_way_only_the_rest_is_written() -> None:
    world = World()
    world.api.faults["create", "ServiceAccount"] = KubeUnavailable("no answer")
    with pytest.raises(KubeUnavailable):
        await world.apply(ALL)
    world.api.writes.clear()
    assert await world.apply(ALL) == 2
    assert {kind for _, kind, _ in world.api.writes} == {"ServiceAccount", "NetworkPolicy"}


async def test_a_write_whose_answer_was_lost_is_found_again() -> None:
    world = World()
    await world.api.create(DEPLOYMENTS, ALL[0])
    assert await world.apply(ALL) == 4
    assert len(world.api.objects) == 4


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
async def test_whatever_others_did_one_turn_puts_it_right(
    damage: dict[str, str], restarted: bool
) -> None:
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
