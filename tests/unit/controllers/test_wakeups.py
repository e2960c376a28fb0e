"""A change queues the objects that depend on it, and no others."""

from typing import Any

import pytest

from roadstead.api.group import LABEL_SERVER_UUID
from roadstead.api.references import model_references
from roadstead.controllers.wakeups import ModelNews, Wakeup, wakeups
from roadstead.kube.resources import DEPLOYMENTS, MODELS, MODELSERVES, PODS, Resource
from roadstead.kube.watch_cache import WatchCache
from tests.support.builders.pods import of_server


def thing(name: str, uid: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    meta = {"name": name, "uid": uid, "resourceVersion": "1", **more.pop("meta", {})}
    return {"metadata": {**meta, **({"namespace": namespace} if namespace else {})}, **more}


def child(server: str) -> dict[str, Any]:
    return thing("x", "child", "demo", meta={"labels": {LABEL_SERVER_UUID: server}})


MODEL = thing("gemma", "model-1")
BY_NAME = thing("a", "serve-1", "demo", spec={"modelName": "gemma"})
BY_UUID = thing("b", "serve-2", "demo", spec={"modelUuid": "model-1"})
OTHER = thing("c", "serve-3", "demo", spec={"modelName": "llama"})


def queued(resource: Resource, raw: dict[str, Any]) -> set[Wakeup]:
    cache = WatchCache({MODELSERVES: model_references})
    cache.put(MODELS, MODEL)
    for serve in (BY_NAME, BY_UUID, OTHER):
        cache.put(MODELSERVES, serve)
    return set(wakeups(cache, resource, raw))


def test_a_model_queues_itself_and_the_servers_that_name_it() -> None:
    assert queued(MODELS, MODEL) == {
        (MODELS, ("", "gemma")),
        (MODELSERVES, ("demo", "a")),
        (MODELSERVES, ("demo", "b")),
    }


@pytest.mark.parametrize(
    ("serve", "model"),
    [
        pytest.param(BY_NAME, "gemma", id="name"),
        pytest.param(BY_UUID, "gemma", id="uuid"),
        pytest.param(OTHER, "llama", id="not-there-yet"),
    ],
)
def test_a_server_queues_itself_and_its_model(serve: dict[str, Any], model: str) -> None:
    name = serve["metadata"]["name"]
    assert queued(MODELSERVES, serve) == {(MODELSERVES, ("demo", name)), (MODELS, ("", model))}


def test_a_child_queues_its_server() -> None:
    assert queued(DEPLOYMENTS, child("serve-1")) == {(MODELSERVES, ("demo", "a"))}


def test_a_pod_queues_the_server_of_its_replica_set() -> None:
    pod = of_server(thing("x", "pod", "demo"), "serve-1", deployment="a")
    assert queued(PODS, pod) == {(MODELSERVES, ("demo", "a"))}


def test_a_pod_with_only_the_label_queues_nothing() -> None:
    assert queued(PODS, child("serve-1")) == set()
    elsewhere = of_server(thing("x", "pod", "other"), "serve-1", deployment="a")
    assert queued(PODS, elsewhere) == set()


def test_a_child_of_a_deleted_server_queues_nothing() -> None:
    assert queued(PODS, child("serve-9")) == set()


def test_a_pod_without_a_label_queues_nothing() -> None:
    assert queued(PODS, thing("x", "pod", "demo")) == set()


def has_changed(cache: WatchCache, news: ModelNews, version: int, **status: object) -> bool:
    """Whether this state of a Model concerns its servers."""
    meta = {"name": "gemma", "uid": "m", "resourceVersion": str(version), "generation": 1}
    model = {"metadata": meta, "status": status}
    cache.put(MODELS, model)
    return news.has_changed(cache, model)


def test_a_changed_server_count_does_not_queue_the_servers() -> None:
    cache, news = WatchCache(), ModelNews()
    assert has_changed(cache, news, 1, sha256="a", servers=1)
    assert not has_changed(cache, news, 2, sha256="a", servers=2)
    assert has_changed(cache, news, 3, sha256="b", servers=2)
