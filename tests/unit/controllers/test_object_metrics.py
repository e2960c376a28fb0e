"""Metrics follow the objects and are removed with them."""

from prometheus_client import REGISTRY

from roadstead.api.references import serve_references
from roadstead.controllers.object_metrics import ObjectMetrics
from roadstead.kube.resources import MODELS, MODELSERVES, RESOURCECONTRACTS, Resource
from roadstead.kube.watch_cache import WatchCache
from tests.support.builders.records import UID, Raw, make_object, make_serve, ready

SERVER = {"namespace": "demo", "name": "gemma", "server_uuid": UID, "model": "gemma-3-270m"}


def seen(*objects: tuple[Resource, Raw], gone: tuple[Resource, Raw] | None = None) -> None:
    """Record existing objects and a deleted one."""
    cache = WatchCache({MODELSERVES: serve_references})
    object_metrics = ObjectMetrics(cache)
    for resource, raw in objects:
        cache.put(resource, raw)
        object_metrics.update(resource, raw)
    if gone is not None:
        cache.deleted(*gone)
        object_metrics.update(*gone)


def test_a_ready_server_has_the_value_one() -> None:
    seen((MODELSERVES, make_serve()))
    assert REGISTRY.get_sample_value("roadstead_server_ready", SERVER) == 1


def test_a_deleted_server_has_no_metrics() -> None:
    seen((MODELSERVES, make_serve()), gone=(MODELSERVES, make_serve()))
    assert REGISTRY.get_sample_value("roadstead_server_ready", SERVER) is None


def test_a_server_with_a_model_uuid_has_the_models_name() -> None:
    serve = make_serve()
    serve["spec"] = {"modelUuid": "5a1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f"}
    model = make_object("Model", "found", uid="5a1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f")
    seen((MODELS, model), (MODELSERVES, serve))
    labels = {**SERVER, "model": "found"}
    assert REGISTRY.get_sample_value("roadstead_server_ready", labels) == 1


def test_models_are_counted_by_phase() -> None:
    failed = {"conditions": [ready("False", "DigestMismatch")]}
    seen(
        (MODELS, make_object("Model", "one", status={"conditions": [ready()]})),
        (MODELS, make_object("Model", "two", uid="u2", status=failed)),
    )
    counts = [
        REGISTRY.get_sample_value("roadstead_models", {"status": each})
        for each in ("Ready", "Failed", "Pending")
    ]
    assert counts == [1, 1, 0]


def test_a_contract_has_its_usage_and_limit() -> None:
    status = {"used": {"servers": 1, "cpu": "1500m", "memory": "1Gi"}}
    spec = {"total": {"cpu": "4"}}
    seen((RESOURCECONTRACTS, make_object("ResourceContract", "demo", spec=spec, status=status)))
    cpu, memory = ({"contract": "demo", "resource": each} for each in ("cpu", "memory"))
    assert REGISTRY.get_sample_value("roadstead_contract_used", cpu) == 1.5
    assert REGISTRY.get_sample_value("roadstead_contract_limit", cpu) == 4
    assert REGISTRY.get_sample_value("roadstead_contract_used", memory) == 2**30
    assert REGISTRY.get_sample_value("roadstead_contract_limit", memory) is None


def test_a_named_resource_has_metrics_while_it_is_limited() -> None:
    labels = {"contract": "shared", "resource": "nvidia.com/gpumem"}
    spec = {"total": {"resources": {"nvidia.com/gpumem": "6k"}}}
    status = {"used": {"resources": {"nvidia.com/gpumem": 3000}}}
    limited = make_object("ResourceContract", "shared", spec=spec, status=status)
    seen((RESOURCECONTRACTS, limited))
    assert REGISTRY.get_sample_value("roadstead_contract_used", labels) == 3000
    assert REGISTRY.get_sample_value("roadstead_contract_limit", labels) == 6000
    newer = {**limited["metadata"], "resourceVersion": "99"}
    seen((RESOURCECONTRACTS, limited), (RESOURCECONTRACTS, {"metadata": newer, "spec": {}}))
    assert REGISTRY.get_sample_value("roadstead_contract_used", labels) is None
    assert REGISTRY.get_sample_value("roadstead_contract_limit", labels) is None
