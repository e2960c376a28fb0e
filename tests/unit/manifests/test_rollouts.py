"""How a change replaces the pods of a server, and what a drained node may take."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.api.contract.devices import DeviceNames
from roadstead.api.rollouts import needs_room
from roadstead.manifests.modelserve_manifests import desired_objects
from roadstead.manifests.rendering import Manifest
from tests.support.builders.resources import make_model, make_platform, make_serve, of_kind

GPU: Any = {"resources": {"limits": {"nvidia.com/gpu": 1}}}
NETWORK: Any = {"resources": {"limits": {"rdma/hca": 1}}}
RECREATE = {"type": "Recreate"}


def rolling(surge: int, unavailable: int) -> Manifest:
    counts = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"type": "RollingUpdate", "rollingUpdate": counts}


def manifests(*, devices: DeviceNames | None = None, **spec: Any) -> list[Manifest]:
    platform = make_platform(**({"devices": devices} if devices else {}))
    return desired_objects(make_serve(**spec), make_model(), platform)


def strategy(**spec: Any) -> Manifest:
    found: Manifest = of_kind(manifests(**spec), "Deployment")["spec"]["strategy"]
    return found


@pytest.mark.parametrize("replicas", [0, 1, 1000])
def test_by_default_new_pods_are_ready_before_old_ones_go(replicas: int) -> None:
    assert strategy(replicas=replicas) == rolling(1, 0)


@pytest.mark.parametrize("replicas", [0, 1])
def test_one_replica_with_devices_is_recreated(replicas: int) -> None:
    assert strategy(replicas=replicas, **GPU) == RECREATE


def test_several_replicas_with_devices_have_a_surge() -> None:
    assert strategy(replicas=2, **GPU) == rolling(1, 0)


@pytest.mark.parametrize("rollout", [{"strategy": "Surge"}, {"maxSurge": 1}])
def test_a_surge_of_a_replica_with_devices_can_be_asked_for(rollout: Any) -> None:
    assert strategy(rollout=rollout, **GPU) == rolling(1, 0)


def test_a_resource_that_is_no_device_changes_nothing() -> None:
    assert strategy(**NETWORK) == rolling(1, 0)


def test_devices_are_those_of_the_installation() -> None:
    none = DeviceNames(devices=("amd.com/*",))
    assert strategy(devices=none, **GPU) == rolling(1, 0)


def test_a_server_without_devices_can_be_recreated() -> None:
    assert strategy(replicas=3, rollout={"strategy": "Recreate"}) == RECREATE


def test_old_pods_can_go_first() -> None:
    assert strategy(rollout={"maxSurge": 0, "maxUnavailable": 2}) == rolling(0, 2)
    assert strategy(rollout={"maxSurge": 0}) == rolling(0, 1)


def test_numbers_that_the_definition_refuses_stay_possible() -> None:
    """Deployments with 0 of both, or with more pods than count, are never written."""
    assert strategy(rollout={"maxSurge": 0, "maxUnavailable": 0}) == rolling(1, 0)
    assert strategy(rollout={"maxSurge": 50}) == rolling(1, 0)


def test_only_a_strategy_that_replaces_nothing_first_needs_room() -> None:
    assert needs_room(rolling(1, 0))
    assert not needs_room(rolling(1, 1))
    assert not needs_room(RECREATE)


def test_several_replicas_have_a_disruption_budget() -> None:
    budget = of_kind(manifests(replicas=2), "PodDisruptionBudget")
    deployment = of_kind(manifests(replicas=2), "Deployment")
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]
    assert budget["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("replicas", [0, 1])
def test_one_replica_can_be_evicted(replicas: int) -> None:
    kinds = [each["kind"] for each in manifests(replicas=replicas)]
    assert "PodDisruptionBudget" not in kinds


def test_drivers_of_devices_have_a_cache_of_their_own() -> None:
    pod = of_kind(manifests(**GPU), "Deployment")["spec"]["template"]["spec"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "cache"]
    (server,) = pod["containers"]
    environment = {each["name"]: each["value"] for each in server["env"]}
    assert volume["emptyDir"]["sizeLimit"] == "2304Mi"
    assert {"name": "cache", "mountPath": "/cache"} in server["volumeMounts"]
    assert environment["CUDA_CACHE_PATH"].startswith("/cache/")


def test_a_server_without_devices_has_no_such_cache() -> None:
    pod = of_kind(manifests(), "Deployment")["spec"]["template"]["spec"]
    assert "cache" not in [each["name"] for each in pod["volumes"]]
