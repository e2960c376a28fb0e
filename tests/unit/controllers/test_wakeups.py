"""A change wakes what depends on it, and nothing else."""

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


def woken(resource: Resource, raw: dict[str, Any]) -> set[Wakeup]:
    cache = WatchCache({MODELSERVES: model_references})
    cache.put(MODELS, MODEL)
    for serve in (BY_NAME, BY_UUID, OTHER):
        cache.put(MODELSERVES, serve)
    return set(wakeups(cache, resource, raw))


def test_a_model_wakes_itself_and_the_serves_that_name_it() -> None:
    assert woken(MODELS, MODEL) == {
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
def test_a_serve_wakes_itself_and_its_model(serve: dict[str, Any], model: str) -> None:
    name = serve["metadata"]["name"]
    assert woken(MODELSERVES, serve) == {(MODELSERVES, ("demo", name)), (MODELS, ("", model))}


def test_a_child_wakes_its_server() -> None:
    assert woken(DEPLOYMENTS, child("serve-1")) == {(MODELSERVES, ("demo", "a"))}


def test_a_pod_wakes_the_server_whose_replica_set_controls_it() -> None:
    pod = of_server(thing("x", "pod", "demo"), "serve-1", deployment="a")
    assert woken(PODS, pod) == {(MODELSERVES, ("demo", "a"))}


def test_a_pod_that_only_has_the_label_wakes_nobody() -> None:
    assert woken(PODS, child("serve-1")) == set()
    elsewhere = of_server(thing("x", "pod", "other"), "serve-1", deployment="a")
    assert woken(PODS, elsewhere) == set()


def test_a_child_of_a_server_that_is_gone_wakes_nobody() -> None:
    assert woken(PODS, child("serve-9")) == set()


def test_a_pod_without_a_label_wakes_nobody() -> None:
    assert woken(PODS, thing("x", "pod", "demo")) == set()


def told(cache: WatchCache, news: ModelNews, version: int, **status: object) -> bool:
    """Whether this state of a Model is news to its servers."""
    meta = {"name": "gemma", "uid": "m", "resourceVersion": str(version), "generation": 1}
    model = {"metadata": meta, "status": status}
    cache.put(MODELS, model)
    return news.has_changed(cache, model)


def test_a_model_that_only_counts_its_servers_anew_is_no_news_to_them() -> None:
    cache, news = WatchCache(), ModelNews()
    assert told(cache, news, 1, sha256="a", servers=1)
    assert not told(cache, news, 2, sha256="a", servers=2)
    assert told(cache, news, 3, sha256="b", servers=2)
