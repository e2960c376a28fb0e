"""A Model that can't be parsed is reported, and not transferred."""

from __future__ import annotations

from pathlib import Path

from roadstead.api.conditions import condition, merged
from roadstead.api.group import FINALIZER
from roadstead.api.model import StoreLocation
from roadstead.api.raw import Raw
from roadstead.controllers.model.model_reconciler import ModelReconciler
from roadstead.controllers.model.model_sources import Sources
from roadstead.controllers.status_writer import StatusWriter
from roadstead.controllers.transfers.running_transfers import Transfers
from roadstead.controllers.transfers.transfer_process import ProcessRunner
from roadstead.errors import KubeNotFound
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.kube_client import Object
from roadstead.kube.kube_events import EventRecorder
from roadstead.kube.resources import MODELS, Resource
from roadstead.kube.watch_cache import WatchCache
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_client import MinioStore
from tests.unit.controllers.test_status_writer import NOW, Api


class WholeApi(Api):
    """Also the requests that a Model without faults causes."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        raise KubeNotFound(f"{namespace}/{name}")

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        return dict(body)


def reconciler(api: WholeApi, cache: WatchCache) -> ModelReconciler:
    events, nowhere = EventRecorder(api, instance="test"), "http://127.0.0.1:1"
    access = StoreAccess(
        endpoint=nowhere,
        bucket="models",
        region="us-east-1",
        access_key_file=Path("/nowhere"),
        secret_key_file=Path("/nowhere"),
    )
    return ModelReconciler(
        client=api,
        cache=cache,
        store=MinioStore(access),
        sources=Sources(api, namespace="roadstead-system", quant_endpoint=""),
        transfers=Transfers(ProcessRunner({}), concurrency=1, on_news=lambda _: None),
        status=StatusWriter(api, cache, events, on_written=lambda *_: None),
        default=StoreLocation(endpoint=nowhere, bucket="models", path=""),
        admitted=AdmittedServes(),
    )


async def test_an_unreadable_model_keeps_what_is_known_of_its_object() -> None:
    api, cache = WholeApi(), WatchCache()
    stored = condition("Stored", True, "Stored")
    status = {"sha256": "a" * 64, "conditions": merged({}, [stored], now=NOW)}
    meta = {"name": "gemma", "uid": "1", "resourceVersion": "1", "finalizers": [FINALIZER]}
    typed = {"apiVersion": "model.example.com/v1alpha1", "kind": "Model"}
    cache.put(MODELS, {**typed, "metadata": meta, "spec": {"sha256": 5}, "status": status})
    assert await reconciler(api, cache).reconcile(("", "gemma")) is None
    (written,) = api.statuses
    assert written["sha256"] == "a" * 64
    shown = {each["type"]: (each["reason"], each["message"]) for each in written["conditions"]}
    assert shown["Stored"][0] == "Stored"
    assert shown["Ready"] == ("Unreadable", "spec.sha256: expected a string")
