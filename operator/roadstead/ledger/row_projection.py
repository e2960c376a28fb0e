"""Converts objects of the API server to rows (pure)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, TypedDict

from roadstead.api import conditions
from roadstead.api.conditions import phase
from roadstead.api.contract.demand import MEMORY
from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.quantity import parse_quantity
from roadstead.api.raw import Metadata, Raw, section, timestamp
from roadstead.api.usage import UsageSample
from roadstead.errors import InvalidResource
from roadstead.ledger.records import ContractRecord, ModelRecord, ServerRecord, UsageRecord
from roadstead.manifests import names

MEGABYTE: Final = 10**6
_TRANSFER: Final = (
    "percent",
    "bytesDone",
    "bytesTotal",
    "bytesPerSecond",
    "remainingSeconds",
    "attempt",
    "phase",
)
"""The fields of `status.transfer` in the row. Internal ones such as the upload's id are not."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PodsView:
    """The names of a server's pods, and the version at which they were read."""

    names: Sequence[str] = ()
    version: int = 0


def server_record(
    serve: ModelServe, *, model_name: str, pods: PodsView, now: str, deleted: bool = False
) -> ServerRecord:
    """Return the row of a ModelServe; `model_name` is used if its spec has only a UUID."""
    status, reason, message = _state(serve.raw, deleted=deleted)
    return ServerRecord(
        server_uuid=serve.server_id,
        model_uuid=serve.status.get("modelUuid") or serve.model_uuid or None,
        model_name=serve.model_name or model_name,
        namespace=serve.meta.namespace,
        name=serve.meta.name,
        runtime_params=serve.runtime_params,
        resources=serve.resources,
        status=status,
        status_reason=reason,
        status_message=message,
        conditions=tuple(serve.status.get("conditions") or ()),
        desired_replicas=serve.replicas,
        replicas=0 if deleted else serve.status.get("replicas", 0),
        ready_replicas=0 if deleted else serve.status.get("readyReplicas", 0),
        pod_names=() if deleted else tuple(sorted(pods.names)),
        service_name=names.child_name(serve.meta.name),
        subject=serve.status.get("subject", ""),
        contract=serve.contract,
        gateway_url=serve.status.get("url", ""),
        memory_limit_mb=_memory_limit(serve),
        started_at=serve.status.get("startedAt"),
        pods_version=pods.version,
        **_lifetime(serve.meta, now=now, deleted=deleted),
    )


def model_record(model: Model, *, now: str, deleted: bool = False) -> ModelRecord:
    """Return the row of a Model; location and content only once verified."""
    status, reason, message = _state(model.raw, deleted=deleted)
    header = section(model.status, "gguf")
    return ModelRecord(
        uuid=model.meta.uid,
        model_name=model.meta.name,
        minio_endpoint=model.status.get("minioEndpoint", ""),
        minio_bucket=model.status.get("minioBucket", ""),
        minio_path=model.status.get("minioPath", ""),
        quant_level=model.status.get("quantization") or model.quantization,
        format=section(model.raw, "spec").get("format", "gguf"),
        architecture=header.get("architecture", ""),
        parameter_count=header.get("parameterCount"),
        context_length=header.get("contextLength"),
        file_size_bytes=model.size or None,
        sha256=model.digest,
        status=status,
        status_reason=reason,
        status_message=message,
        transfer=_transfer(model),
        servers=model.status.get("servers", 0),
        display_name=model.display_name,
        **_lifetime(model.meta, now=now, deleted=deleted),
    )


def contract_record(
    contract: ResourceContract, *, now: str, deleted: bool = False
) -> ContractRecord:
    """Return the row of a ResourceContract."""
    status, reason, message = _state(contract.raw, deleted=deleted)
    ends = contract.expires_at
    return ContractRecord(
        uuid=contract.meta.uid,
        name=contract.meta.name,
        spec=section(contract.raw, "spec"),
        used=section(contract.raw, "status", "used"),
        status=status,
        status_reason=reason,
        status_message=message,
        expires_at=timestamp(ends) if ends is not None and ends.year > 1 else None,
        **_lifetime(contract.meta, now=now, deleted=deleted),
    )


def usage_record(sample: UsageSample) -> UsageRecord:
    """Return the row of a sample."""
    return UsageRecord(
        server_uuid=sample.server_uuid,
        sampled_at=sample.sampled_at.isoformat(),
        memory_current_mb=sample.memory_current_bytes / MEGABYTE,
        memory_max_mb=sample.memory_max_bytes / MEGABYTE,
        cpu_usage_percent=sample.cpu_usage_percent,
        tokens_per_second=sample.tokens_per_second,
        requests_processing=sample.requests_processing,
        requests_deferred=sample.requests_deferred,
    )


def _state(raw: Raw, *, deleted: bool) -> tuple[str, str, str]:
    if deleted:
        return "Deleted", "Deleted", ""
    ready = conditions.find(raw, "Ready")
    if ready is None:
        return "Pending", "Unknown", "not reconciled yet"
    return phase(raw), ready.reason, ready.message


class _Lifetime(TypedDict):
    created_at: str
    updated_at: str
    deleted_at: str | None
    generation: int
    resource_version: int


def _lifetime(meta: Metadata, *, now: str, deleted: bool) -> _Lifetime:
    version = meta.resource_version
    return {
        "created_at": meta.created or now,
        "updated_at": now,
        "deleted_at": now if deleted else None,
        "generation": meta.generation,
        "resource_version": int(version) if version.isdigit() else 0,
    }


def _memory_limit(serve: ModelServe) -> float | None:
    """Return the sum over all replicas; None without a limit."""
    limit = section(serve.resources, "limits").get(MEMORY)
    if limit is None:
        return None
    try:
        return float(parse_quantity(limit, field=MEMORY)) * serve.replicas / MEGABYTE
    except InvalidResource:
        return None


def _transfer(model: Model) -> Raw:
    given = section(model.status, "transfer")
    return {name: given[name] for name in _TRANSFER if name in given}
