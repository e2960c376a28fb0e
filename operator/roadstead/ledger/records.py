"""The rows of the ledger's tables; each field is a column."""

from __future__ import annotations

import dataclasses
from typing import Any

from roadstead.api.raw import Raw
from roadstead.ledger.bounds import bounded


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerRecord:
    """A ModelServe, in `server_records`; times are RFC 3339."""

    server_uuid: str
    model_uuid: str | None
    model_name: str
    namespace: str
    name: str
    runtime_params: Raw
    resources: Raw
    status: str
    status_reason: str
    status_message: str
    conditions: tuple[Raw, ...]
    desired_replicas: int
    replicas: int
    ready_replicas: int
    pod_names: tuple[str, ...]
    service_name: str
    subject: str
    contract: str
    gateway_url: str
    memory_limit_mb: float | None
    created_at: str
    started_at: str | None
    updated_at: str
    deleted_at: str | None
    generation: int
    resource_version: int
    pods_version: int
    """The version of the list or event of pods that `pod_names` is from."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """A Model, in `model_records`."""

    uuid: str
    model_name: str
    minio_endpoint: str
    minio_bucket: str
    minio_path: str
    quant_level: str
    format: str
    architecture: str
    parameter_count: int | None
    context_length: int | None
    file_size_bytes: int | None
    sha256: str
    status: str
    status_reason: str
    status_message: str
    transfer: Raw
    servers: int
    display_name: str
    created_at: str
    updated_at: str
    deleted_at: str | None
    generation: int
    resource_version: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContractRecord:
    """A ResourceContract, in `contract_records`."""

    uuid: str
    name: str
    spec: Raw
    used: Raw
    status: str
    status_reason: str
    status_message: str
    expires_at: str | None
    created_at: str
    updated_at: str
    deleted_at: str | None
    generation: int
    resource_version: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class UsageRecord:
    """A usage sample, in `usage_samples`; the latest is also in `server_records`."""

    server_uuid: str
    sampled_at: str
    memory_current_mb: float
    memory_max_mb: float
    cpu_usage_percent: float
    tokens_per_second: float | None
    requests_processing: int | None
    requests_deferred: int | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdmissionRecord:
    """An admission decision, in `admission_records`."""

    request_uid: str
    decided_at: str
    allowed: bool
    reason: str
    message: str
    operation: str
    kind: str
    namespace: str
    name: str
    subject: str
    username: str
    contract: str


ObjectRecord = ServerRecord | ModelRecord | ContractRecord
"""A row of an object, which stays after the object is deleted."""
Record = ObjectRecord | UsageRecord | AdmissionRecord


def key_of(record: ObjectRecord) -> str:
    """Return the UID of the object."""
    return record.server_uuid if isinstance(record, ServerRecord) else record.uuid


def row(record: Record) -> dict[str, Any]:
    """Return the columns and their values for JSON, cut to their limits."""
    return {name: bounded(name, value) for name, value in vars(record).items()}
