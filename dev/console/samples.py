"""Sample objects, as the operator writes them, for the ledger of a test or a benchmark."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.ledger.records import AdmissionRecord, Record, UsageRecord
from roadstead.ledger.row_projection import (
    PodsView,
    contract_record,
    model_record,
    server_record,
)

Object = dict[str, Any]
GROUP = "model.example.com/v1alpha1"
ORIGIN = "http://localhost"
GEMMA: Object = {
    "architecture": "gemma3", "parameterCount": 268_000_000, "contextLength": 32768
}  # fmt: skip


def stamp(ago: float = 0.0) -> str:
    """The time `ago` seconds ago, in the ledger's format."""
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=ago)
    return moment.isoformat()


def ready(kind: str = "True", reason: str = "Ready", message: str = "") -> list[Object]:
    """The conditions of a server; `Ready` has the given values."""
    return [
        {"type": "ContractAccepted", "status": "True", "reason": "Accepted",
         "message": "contract demo, requested by alice"},
        {"type": "ModelAvailable", "status": "True", "reason": "Verified",
         "message": "Model gemma-3-270m: http://minio.example.com/models/gemma"},
        {"type": "WorkloadReady", "status": kind, "reason": reason, "message": message},
        {"type": "Ready", "status": kind, "reason": reason, "message": message},
    ]  # fmt: skip


def serve(
    name: str,
    *,
    namespace: str = "demo",
    contract: str = "demo",
    model: str = "gemma-3-270m",
    origin: str = ORIGIN,
    conditions: list[Object] | None = None,
    params: Object | None = None,
    version: int = 5,
    uid: str = "",
    age: float = 7200.0,
) -> Object:
    """A ModelServe."""
    identity = uid or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{name}"))
    return {
        "apiVersion": GROUP,
        "kind": "ModelServe",
        "metadata": {
            "name": name, "namespace": namespace, "uid": identity, "generation": 1,
            "resourceVersion": str(version), "creationTimestamp": stamp(age),
        },
        "spec": {
            "modelName": model,
            "contract": contract,
            "replicas": 1,
            "runtimeParams": {"contextSize": 2048, "threads": 1} if params is None else params,
            "resources": {
                "requests": {"cpu": "200m", "memory": "512Mi"},
                "limits": {"cpu": "1", "memory": "1Gi"},
            },
        },
        "status": {
            "subject": "alice",
            "url": f"{origin}/{identity}",
            "replicas": 1,
            "readyReplicas": 1,
            "startedAt": stamp(age - 60),
            "conditions": ready() if conditions is None else conditions,
        },
    }  # fmt: skip


def model(
    name: str,
    *,
    transfer: Object | None = None,
    done: bool = True,
    version: int = 5,
    size: int = 253_000_000,
    gguf: Object | None = None,
    **spec: str,
) -> Object:
    """A Model, stored or in transfer."""
    reason = ("True", "Stored", "") if done else ("False", "Transferring", "the transfer runs")
    status, state, message = reason
    return {
        "apiVersion": GROUP,
        "kind": "Model",
        "metadata": {
            "name": name, "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "generation": 1,
            "resourceVersion": str(version), "creationTimestamp": stamp(90000),
        },
        "spec": {
            "source": {"stored": {}}, "minioPath": f"models/{name}.gguf", "format": "gguf", **spec,
        },
        "status": {
            "sizeBytes": size if done else 0,
            "sha256": "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818" * done,
            "quantization": "Q4_K_M",
            "servers": 1,
            "gguf": (GEMMA if gguf is None else gguf) if done else {},
            "transfer": transfer or {},
            "conditions": [
                {"type": "Ready", "status": status, "reason": state, "message": message}
            ],
        },
    }  # fmt: skip


def contract(name: str, *, group: str = "demo-users", **spec: Any) -> Object:
    """A ResourceContract for a group, with some of it used."""
    return {
        "apiVersion": GROUP,
        "kind": "ResourceContract",
        "metadata": {
            "name": name, "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"contract/{name}")),
            "generation": 1, "resourceVersion": "5", "creationTimestamp": stamp(900000),
        },
        "spec": {
            "namespaces": {"names": [name]},
            "authorization": {"groups": [group]},
            "models": ["*"],
            "perServer": {"replicas": 2, "cpu": "2", "memory": "2Gi"},
            "total": {"servers": 3, "cpu": "4", "memory": "4Gi"},
            **spec,
        },
        "status": {
            "used": {"servers": 1, "replicas": 1, "cpu": "1", "memory": "1Gi", "gpu": 0},
            "conditions": [{"type": "Ready", "status": "True", "reason": "Ready"}],
        },
    }  # fmt: skip


def record(raw: Object, **more: Any) -> Record:
    """The ledger's row of an object."""
    now = stamp()
    if raw["kind"] == "Model":
        return model_record(Model.parse(raw), now=now)
    if raw["kind"] == "ResourceContract":
        return contract_record(ResourceContract.parse(raw), now=now)
    pods = PodsView(names=(f"{raw['metadata']['name']}-5b59d69488-j8pmw",), version=1)
    return server_record(ModelServe.parse(raw), model_name="", pods=pods, now=now, **more)


def sample(server: Object, ago: float, *, memory: float = 470.0, cpu: float = 40.0) -> UsageRecord:
    """A server's usage `ago` seconds ago."""
    return UsageRecord(
        server_uuid=server["metadata"]["uid"],
        sampled_at=stamp(ago),
        memory_current_mb=memory,
        memory_max_mb=max(memory, 620.0),
        cpu_usage_percent=cpu,
        tokens_per_second=cpu / 2,
        requests_processing=1,
        requests_deferred=0,
    )


def decision(server: Object, ago: float, *, message: str = "") -> AdmissionRecord:
    """An admission decision about a server of alice's; denied if it has a message."""
    return AdmissionRecord(
        request_uid=str(uuid.uuid4()),
        decided_at=stamp(ago),
        allowed=not message,
        reason="OverServerLimit" if message else "Allowed",
        message=message,
        operation="UPDATE" if message else "CREATE",
        kind="ModelServe",
        namespace=server["metadata"]["namespace"],
        name=server["metadata"]["name"],
        subject="alice",
        username="kubernetes-admin",
        contract="demo",
    )
