"""A grant is stored before the apply, and reduced only after the rollout."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from roadstead.api.contract.granted import Granted
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw
from roadstead.api.workload import is_rolled_out, observe
from roadstead.controllers.modelserve.grants import Grant
from roadstead.controllers.modelserve.modelserve_status import ServeObservation
from roadstead.controllers.status_writer import StatusWriter
from roadstead.errors import KubeConflict
from roadstead.kube.kube_events import EventRecorder
from roadstead.kube.watch_cache import WatchCache
from tests.support.builders.pods import deployment
from tests.support.builders.resources import make_model
from tests.unit.controllers.test_status_writer import Api
from tests.unit.schemas import faults, status_schema

MODEL = "model-uid"
OLD: Raw = {
    "contract": "demo",
    "modelUuid": MODEL,
    "replicas": 1,
    "resources": {"cpu": "4", "memory": "1Gi", "gpu": 0},
}
STORED: Raw = {"observedGeneration": 3, "granted": OLD}
TO_APPLY: Raw = {"metadata": {"name": "gemma"}, "spec": {"replicas": 1}}
SEEN = ServeObservation(model=make_model(), workload=None)


def server(status: Raw | None = None, *, memory: str = "600Mi", **spec: Any) -> ModelServe:
    content = {
        "modelName": "gemma-3-270m",
        "contract": "demo",
        "replicas": 1,
        "resources": {"limits": {"cpu": 1, "memory": memory}},
        **spec,
    }
    meta = {"name": "gemma", "namespace": "demo", "uid": "u", "resourceVersion": "1"}
    typed = {"apiVersion": "model.example.com/v1alpha1", "kind": "ModelServe"}
    return ModelServe.parse({**typed, "metadata": meta, "spec": content, "status": status or {}})


class Reconcile:
    """A grant with its own API server."""

    def __init__(self, serve: ModelServe, *, enabled: bool = True) -> None:
        self.api, self.serve = Api(), serve
        events = EventRecorder(self.api, instance="test")
        self.writer = StatusWriter(self.api, WatchCache(), events, on_written=lambda *_: None)
        self.grant = Grant(serve, SEEN, self.writer, enabled=enabled)

    async def extend(self, model: str = MODEL) -> list[Any]:
        """The grants that are stored before `serve` is applied."""
        await self.grant.extend(self.serve, model, TO_APPLY)
        return [status["granted"]["resources"]["memory"] for status in self.api.statuses]

    @property
    def granted(self) -> Any:
        """The grant in the final status."""
        return self.grant.status(SEEN).get("granted")


async def test_the_grant_of_a_new_server_is_stored_first() -> None:
    assert await Reconcile(server()).extend() == ["600Mi"]


async def test_a_new_server_needs_one_status_write() -> None:
    one = Reconcile(server())
    await one.extend()
    created = {**TO_APPLY, "metadata": {"name": "gemma", "uid": "d", "generation": 1}}
    seen = dataclasses.replace(SEEN, workload=observe(created, ()))
    assert one.api.statuses == [one.grant.status(seen)]
    assert list(faults(status_schema("modelserves"), one.api.statuses[0])) == []


async def test_a_larger_grant_is_stored_before_the_apply() -> None:
    assert await Reconcile(server(STORED, memory="2Gi")).extend() == ["2Gi"]


async def test_a_smaller_demand_keeps_the_grant() -> None:
    one = Reconcile(server(STORED, memory="1Mi"))
    assert await one.extend() == []
    assert one.granted == OLD


async def test_each_resource_is_compared_separately() -> None:
    one = Reconcile(server(STORED, memory="2Gi"))
    await one.extend()
    assert one.granted["resources"] == {"cpu": "4", "memory": "2Gi", "gpu": 0}


async def test_a_change_of_contract_is_granted_before_the_apply() -> None:
    one = Reconcile(server(STORED, memory="1Mi", contract="other"))
    assert await one.extend() == ["1Gi"]
    assert one.granted["contract"] == "other"


async def test_a_change_of_model_is_granted_before_the_apply() -> None:
    one = Reconcile(server(STORED, memory="1Mi"))
    assert await one.extend("other-uid") == ["1Gi"]
    assert one.granted["modelUuid"] == "other-uid"


async def test_a_conflict_prevents_the_grant() -> None:
    one = Reconcile(server())
    one.api.status_fault = KubeConflict("changed")
    with pytest.raises(KubeConflict):
        await one.extend()


async def test_without_admission_nothing_is_granted() -> None:
    one = Reconcile(server(STORED), enabled=False)
    assert await one.extend() == []
    one.grant.settle(one.serve, deployment(1, ready=1))
    assert one.granted is None


def available(count: int = 1, **state: Any) -> dict[str, Any]:
    """The status of a Deployment of one replica with this many ready."""
    created = deployment(1, ready=count, **state)
    return {**created, "status": {**created["status"], "availableReplicas": count}}


THROUGH = available()


@pytest.mark.parametrize(
    "unfinished",
    [
        pytest.param(None, id="no Deployment"),
        pytest.param(available(0), id="the new one is not ready"),
        pytest.param(available(total=2), id="an old one runs"),
        pytest.param(available(updated=0), id="nothing is of the new template"),
        pytest.param(available(generation=2), id="not processed by its controller yet"),
        pytest.param({**THROUGH, "status": {}}, id="without a status"),
    ],
)
async def test_the_grant_is_kept_during_a_rollout(unfinished: Any) -> None:
    one = Reconcile(server(STORED, memory="1Mi"))
    one.grant.settle(one.serve, unfinished)
    assert one.granted == OLD


async def test_the_grant_is_reduced_after_the_rollout() -> None:
    one = Reconcile(server(STORED, memory="1Mi"))
    one.grant.settle(one.serve, THROUGH)
    assert one.granted == Granted.of(one.serve, MODEL).to_json()


async def test_a_rollout_does_not_create_a_grant() -> None:
    one = Reconcile(server())
    one.grant.settle(one.serve, THROUGH)
    assert one.granted is None


def test_zero_replicas_are_rolled_out_once_all_pods_are_gone() -> None:
    status = {"observedGeneration": 1}
    stopped: Raw = {"metadata": {"generation": 1}, "spec": {"replicas": 0}, "status": status}
    assert is_rolled_out(stopped)
    assert not is_rolled_out({**stopped, "status": {**status, "replicas": 1}})
