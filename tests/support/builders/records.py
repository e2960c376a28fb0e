"""Objects as the API server stores them, and their records."""

import uuid
from collections.abc import Mapping
from typing import Any

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.ledger.records import (
    AdmissionRecord,
    ContractRecord,
    ModelRecord,
    ServerRecord,
    UsageRecord,
)
from roadstead.ledger.row_projection import PodsView, contract_record, model_record, server_record
from tests.support.builders.pods import of_server

Raw = dict[str, Any]
NOW, LATER = "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:30+00:00"
UID = "0a1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f"


def fresh_uid() -> str:
    """A unique UID."""
    return str(uuid.uuid4())


def ready(status: str = "True", reason: str = "Ready", message: str = "1 of 1") -> Raw:
    """A condition `Ready`."""
    moved = "2026-01-01T00:00:00Z"
    found = {"type": "Ready", "status": status, "reason": reason, "message": message}
    return {**found, "lastTransitionTime": moved}


def make_object(
    kind: str,
    name: str,
    *,
    uid: str = UID,
    version: int = 10,
    namespace: str = "",
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
) -> Raw:
    """An object of one of our kinds."""
    meta: Raw = {"name": name, "uid": uid, "resourceVersion": str(version), "generation": 1}
    meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
    if namespace:
        meta["namespace"] = namespace
    return {"kind": kind, "metadata": meta, "spec": spec or {}, "status": status or {}}


def make_serve(*, status: Mapping[str, Any] | None = None, **given: Any) -> Raw:
    """A ModelServe demo/gemma that is ready unless its status is given."""
    spec = {"modelName": "gemma-3-270m", "replicas": 1, **given.pop("spec", {})}
    status = {"conditions": [ready()]} if status is None else status
    return make_object("ModelServe", "gemma", namespace="demo", spec=spec, status=status, **given)


def make_pod(name: str, server: str, *, version: int = 20) -> Raw:
    """A pod of a server."""
    pod = make_object("Pod", name, uid=fresh_uid(), version=version, namespace="demo")
    return of_server(pod, server)


def a_server(
    *, pods: PodsView | None = None, now: str = NOW, deleted: bool = False, **given: Any
) -> ServerRecord:
    """The record of a ModelServe."""
    serve = ModelServe.parse(make_serve(**given))
    return server_record(serve, model_name="", pods=pods or PodsView(), now=now, deleted=deleted)


def a_model(**given: Any) -> ModelRecord:
    """The record of a Model."""
    return model_record(Model.parse(make_object("Model", "gemma-3-270m", **given)), now=NOW)


def a_contract(**given: Any) -> ContractRecord:
    """The record of a ResourceContract."""
    contract = ResourceContract.parse(make_object("ResourceContract", "demo", **given))
    return contract_record(contract, now=NOW)


def a_sample(**given: Any) -> UsageRecord:
    """A usage sample of a server."""
    found: Raw = {
        "server_uuid": UID,
        "sampled_at": NOW,
        "memory_current_mb": 500.0,
        "memory_max_mb": 600.0,
        "cpu_usage_percent": 10.0,
        "tokens_per_second": None,
        "requests_processing": 0,
        "requests_deferred": 0,
    }
    return UsageRecord(**{**found, **given})


def an_admission(**given: Any) -> AdmissionRecord:
    """An admission decision."""
    texts = ("message", "namespace", "name", "subject", "username", "contract")
    found: Raw = {
        "request_uid": fresh_uid(),
        "decided_at": NOW,
        "allowed": False,
        "reason": "TokenMissing",
        "operation": "CREATE",
        "kind": "ModelServe",
        **dict.fromkeys(texts, ""),
    }
    return AdmissionRecord(**{**found, **given})
