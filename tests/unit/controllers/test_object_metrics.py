"""Metrics follow the objects, and go with them."""

from prometheus_client import REGISTRY

from roadstead.api.references import serve_references
from roadstead.controllers.object_metrics import ObjectMetrics
from roadstead.kube.resources import MODELS, MODELSERVES, RESOURCECONTRACTS, Resource
from roadstead.kube.watch_cache import WatchCache
from tests.support.builders.records import UID, Raw, make_object, make_serve, ready

SERVER = {"namespace": "demo", "name": "gemma", "server_uuid": UID, "model": "gemma-3-270m"}


def seen(*objects: tuple[Resource, Raw], gone: tuple[Resource, Raw] | None = None) -> None:
    """Objects that are there, and one that went."""
    cache = WatchCache({MODELSERVES: serve_references})
    object_metrics = ObjectMetrics(cache)
    for resource, raw in objects:
        cache.put(resource, raw)
        object_metrics.update(resource, raw)
    if gone is not None:
        cache.deleted(*gone)
        object_metrics.update(*gone)


def test_server_that_is_ready_shows_as_one() -> None:
    seen((MODELSERVES, make_serve()))
    assert REGISTRY.get_sample_value("roadstead_server_ready", SERVER) == 1


def test_server_that_is_gone_shows_no_more() -> None:
    seen((MODELSERVES, make_serve()), gone=(MODELSERVES, make_serve()))
    assert REGISTRY.get_sample_value("roadstead_server_ready", SERVER) is None


def test_server_that_names_a_uuid_alone_shows_its_models_name() -> None:
    serve = make_serve()
    serve["spec"] = {"modelUuid": "5a1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f"}
    model = make_object("Model", "found", uid="5a1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f")
    seen((MODELS, model), (MODELSERVES, serve))
    labels = {**SERVER, "model": "found"}
    assert REGISTRY.get_sample_value("roadstead_server_ready", labels) == 1


def test_models_are_counted_by_how_they_are() -> None:
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


def test_contract_shows_what_is_used_beside_its_limit() -> None:
    status = {"used": {"servers": 1, "cpu": "1500m", "memory": "1Gi"}}
    spec = {"total": {"cpu": "4"}}
    seen((RESOURCECONTRACTS, make_object("ResourceContract", "demo", spec=spec, status=status)))
    cpu, memory = ({"contract": "demo", "resource": each} for each in ("cpu", "memory"))
    assert REGISTRY.get_sample_value("roadstead_contract_used", cpu) == 1.5
    assert REGISTRY.get_sample_value("roadstead_contract_limit", cpu) == 4
    assert REGISTRY.get_sample_value("roadstead_contract_used", memory) == 2**30
    assert REGISTRY.get_sample_value("roadstead_contract_limit", memory) is None


def test_resource_that_a_contract_limits_by_name_shows_until_it_does_no_more() -> None:
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
