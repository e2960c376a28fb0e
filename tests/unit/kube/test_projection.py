"""The fields of large objects that each component's cache keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from roadstead.api.group import ANNOTATION_RECEIPT, API_VERSION, FIELD_MANAGER, LABEL_MANAGED_BY
from roadstead.api.raw import Raw
from roadstead.controllers import cache_contents
from roadstead.forwardauth import server_index
from roadstead.kube.field_projection import MAX_OWNERS, MAX_VALUE, Projection
from roadstead.kube.resources import (
    CHILDREN,
    CONFIGMAPS,
    MODELS,
    MODELSERVES,
    NAMESPACES,
    PODS,
    RESOURCECONTRACTS,
    ROUTES,
    Resource,
)
from roadstead.kube.watch_cache import WatchCache
from roadstead_webhooks.admission import counting

MUCH = "x" * 250_000
MOST = 4096
"""The most bytes that are kept of an object with little content of its own."""
TABLES: dict[str, Mapping[Resource, Projection]] = {
    "operator": cache_contents.PROJECTIONS,
    "webhooks": counting.KEPT,
    "forward-auth": server_index.KEPT,
}
EVERY = [
    pytest.param(resource, keep, id=f"{part}-{resource.plural}")
    for part, table in TABLES.items()
    for resource, keep in table.items()
]
OF_EACH_PART = {
    "operator": {
        MODELS, MODELSERVES, RESOURCECONTRACTS, NAMESPACES, PODS, *CHILDREN, *ROUTES,
    },
    "webhooks": {MODELS, MODELSERVES, RESOURCECONTRACTS, NAMESPACES, CONFIGMAPS},
    "forward-auth": {MODELSERVES, RESOURCECONTRACTS, NAMESPACES, CONFIGMAPS},
}  # fmt: skip

Place = Callable[[], dict[str, Any]]
FOREIGN: dict[str, Place] = {
    "an annotation": lambda: {"annotations": {"example.com/notes": MUCH}},
    "an annotation of a name like ours": lambda: {"annotations": {"model.example.com/x": MUCH}},
    "an annotation in a receipt's place": lambda: {"annotations": {ANNOTATION_RECEIPT: MUCH}},
    "many annotations": lambda: {"annotations": {f"example.com/{n}": "" for n in range(9000)}},
    "managed fields": lambda: {"managedFields": [{"manager": MUCH}]},
    "a prefix of a name": lambda: {"generateName": MUCH},
    "an unknown field": lambda: {"selfLink": MUCH},
}
EMPTY_SPEC = {"modelName": "a", "contract": "b"}


def body(resource: Resource, **meta: Any) -> dict[str, Any]:
    identity = {"name": "one", "uid": "u", "resourceVersion": "1"}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {**identity, **meta},
        "spec": EMPTY_SPEC,
    }


def kept_of(resource: Resource, keep: Projection, raw: Raw) -> Raw:
    cache = WatchCache(keep={resource: keep})
    cache.put(resource, raw)
    found = cache.get(resource, raw["metadata"]["name"])
    assert found is not None
    return found


def size(raw: Raw) -> int:
    return len(json.dumps(raw))


def test_every_watched_kind_has_a_projection() -> None:
    assert {part: set(table) for part, table in TABLES.items()} == OF_EACH_PART


@pytest.mark.parametrize("place", FOREIGN)
@pytest.mark.parametrize(("resource", "keep"), EVERY)
def test_fields_of_others_are_not_kept(resource: Resource, keep: Projection, place: str) -> None:
    assert size(kept_of(resource, keep, body(resource, **FOREIGN[place]()))) < MOST


@pytest.mark.parametrize("meta", [{"labels": {"a": MUCH}}, {"finalizers": [MUCH]}])
@pytest.mark.parametrize("table", [counting.KEPT, server_index.KEPT])
def test_labels_and_finalizers_of_servers_are_not_kept(
    table: Mapping[Resource, Projection], meta: dict[str, Any]
) -> None:
    raw = body(MODELSERVES, **meta)
    assert size(kept_of(MODELSERVES, table[MODELSERVES], raw)) < MOST


def test_forward_auth_keeps_only_the_subject_of_a_server() -> None:
    raw = body(MODELSERVES, namespace="demo", deletionTimestamp="2030-01-01T00:00:00Z")
    much = {**EMPTY_SPEC, "config": {"podAnnotations": {"a": MUCH}}}
    found = kept_of_namespaced({**raw, "spec": much, "status": {"url": MUCH}})
    assert found["spec"] == {"contract": "b"}
    assert found["metadata"]["deletionTimestamp"]
    assert "status" not in found


def kept_of_namespaced(raw: Raw) -> Raw:
    cache = server_index.Servers()
    cache.put(MODELSERVES, raw)
    found = cache.get(MODELSERVES, "one", "demo")
    assert found is not None
    return found


def test_forward_auth_keeps_no_reservations() -> None:
    raw = {**body(RESOURCECONTRACTS), "status": {"reservations": [MUCH]}}
    assert size(kept_of(RESOURCECONTRACTS, server_index.KEPT[RESOURCECONTRACTS], raw)) < MOST


def test_annotations_are_kept_up_to_the_length_of_a_receipt() -> None:
    for text, there in (("r" * MAX_VALUE, True), ("r" * (MAX_VALUE + 1), False)):
        raw = body(MODELSERVES, annotations={ANNOTATION_RECEIPT: text})
        found = kept_of(MODELSERVES, counting.KEPT[MODELSERVES], raw)
        assert ("annotations" in found["metadata"]) == there


OURS = {LABEL_MANAGED_BY: FIELD_MANAGER}
SERVERS_OWN = {"apiVersion": API_VERSION, "kind": "ModelServe", "name": "a", "uid": "s"}


@pytest.mark.parametrize("resource", [*CHILDREN, *ROUTES])
def test_only_the_identity_of_foreign_objects_is_kept(
    resource: Resource,
) -> None:
    raw = {**body(resource, labels=OURS), "spec": {"much": MUCH}, "data": {"more": MUCH}}
    assert size(kept_of(resource, cache_contents.PROJECTIONS[resource], raw)) < MOST


@pytest.mark.parametrize("resource", [*CHILDREN, *ROUTES])
def test_a_child_is_kept_without_the_metadata_of_others(
    resource: Resource,
) -> None:
    owners = [SERVERS_OWN] * (MAX_OWNERS + 1)
    raw = body(resource, labels={**OURS, "team": "a"}, ownerReferences=owners)
    found = kept_of(resource, cache_contents.PROJECTIONS[resource], raw)
    assert (found["spec"], found["metadata"]["labels"]) == (EMPTY_SPEC, OURS)
    assert len(found["metadata"]["ownerReferences"]) == MAX_OWNERS


def test_only_the_identity_of_foreign_pods_is_kept() -> None:
    raw = {
        **body(PODS, labels=OURS),
        "spec": {"containers": [{"env": MUCH}]},
        "status": {"m": MUCH},
    }
    assert size(kept_of(PODS, cache_contents.PROJECTIONS[PODS], raw)) < MOST


def test_containers_are_kept_without_their_commands() -> None:
    job = {"batch.kubernetes.io/controller-uid": "j"}
    container = {"name": "a", "image": "i", "resources": {"limits": {"memory": "1Gi"}}}
    spec = {"nodeName": "n", "containers": [{**container, "args": [MUCH]}], "volumes": [MUCH]}
    raw = {**body(PODS, labels=job), "spec": spec, "status": {"phase": "Running"}}
    found = kept_of(PODS, cache_contents.PROJECTIONS[PODS], raw)
    assert found["spec"] == {"nodeName": "n", "initContainers": [], "containers": [container]}
    assert found["status"] == {"phase": "Running"}
