"""The pods whose usage is measured."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.controllers.ledger_feed import INDEXES
from roadstead.controllers.usage.usage_targets import ServerTarget, pod_target, targets
from roadstead.kube.resources import MODELS, MODELSERVES, PODS
from roadstead.kube.watch_cache import WatchCache
from tests.support.builders.pods import usage_pod
from tests.support.builders.resources import make_model, make_serve


def found(*items: dict[str, Any], **spec: Any) -> ServerTarget:
    cache = WatchCache(INDEXES)
    cache.put(MODELSERVES, make_serve(**spec).raw)
    cache.put(MODELS, make_model().raw)
    for item in items:
        cache.put(PODS, item)
    (target,) = targets(cache)
    return target


def test_a_target_has_the_containers_without_init_containers() -> None:
    (target,) = found(usage_pod()).pods
    assert (target.name, target.node) == (("demo", "gemma-1"), "node-1")
    assert target.containers == {"llama-server": "1"}
    assert (target.address, target.life) == ("10.0.0.7", "containerd://1")
    assert target.started == 1_893_459_600


def test_a_pod_in_another_namespace_is_not_a_target() -> None:
    assert found(usage_pod(namespace="other")).pods == ()


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_terminated_pod_is_not_a_target(phase: str) -> None:
    over = usage_pod()
    over["status"]["phase"] = phase
    assert found(over).pods == ()


def test_a_pod_without_a_node_is_not_a_target() -> None:
    assert found(usage_pod(node="")).pods == ()


def test_only_a_ready_pod_has_an_address() -> None:
    starting = usage_pod()
    starting["status"]["conditions"][0]["status"] = "False"
    assert found(starting).pods[0].address == ""


def test_a_pod_with_host_network_has_no_address() -> None:
    assert found(usage_pod(hostNetwork=True)).pods[0].address == ""


def test_the_limit_is_the_sum_unless_a_pod_has_none() -> None:
    assert found(usage_pod("a"), usage_pod("b")).memory_limit == 2 * 2**30
    free = usage_pod("b", containers=[{"name": "llama-server"}])
    assert found(usage_pod("a"), free).memory_limit is None
    assert found().memory_limit is None


def test_a_model_uuid_is_resolved_to_its_name() -> None:
    assert found().labels == ("demo", "gemma", "serve-uid", "gemma-3-270m")
    by_uuid = found(modelName="", modelUuid="model-uid")
    assert by_uuid.labels[3] == "gemma-3-270m"


def test_a_pod_without_a_status_is_a_target() -> None:
    bare = pod_target({"metadata": {"name": "gemma-1"}, "spec": {"nodeName": "node-1"}})
    assert (bare.containers, bare.address, bare.started) == ({}, "", 0.0)
