"""The statements that write rows: many at once, as one JSON document, and never an older one over a
newer.

An object's row is replaced only by one with a higher `resource_version` (they may be compared
within one kind: KEP-5504), so it does not matter who writes, how often, or in which order. A row
that is deleted stays so: no UID is used twice. Both hold within one epoch: a restore of etcd begins
a new one, whose rows replace those of earlier ones. Rows that name none are of the first, 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from roadstead.ledger.records import (
    AdmissionRecord,
    ContractRecord,
    ModelRecord,
    ObjectRecord,
    Record,
    ServerRecord,
    UsageRecord,
)

_TYPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("server_uuid", "model_uuid", "uuid", "request_uid"), "uuid"),
    **dict.fromkeys(
        ("runtime_params", "resources", "conditions", "transfer", "spec", "used"), "jsonb"
    ),
    **dict.fromkeys(
        (
            "created_at",
            "started_at",
            "updated_at",
            "deleted_at",
            "expires_at",
            "sampled_at",
            "decided_at",
        ),
        "timestamptz",
    ),
    **dict.fromkeys(
        (
            "desired_replicas",
            "replicas",
            "ready_replicas",
            "servers",
            "requests_processing",
            "requests_deferred",
        ),
        "integer",
    ),
    **dict.fromkeys(
        (
            "generation",
            "resource_version",
            "pods_version",
            "parameter_count",
            "context_length",
            "file_size_bytes",
        ),
        "bigint",
    ),
    **dict.fromkeys(
        (
            "memory_limit_mb",
            "memory_current_mb",
            "memory_max_mb",
            "cpu_usage_percent",
            "tokens_per_second",
        ),
        "double precision",
    ),
    "pod_names": "text[]",
    "allowed": "boolean",
}
"""The columns that are not text."""

_OF_PODS: Final = ("pod_names", "pods_version")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A table, the column that its rows are found by, and the statements that write them.

    Each statement takes one parameter, a JSON array of rows.
    """

    name: str
    key: str
    record: type[Record]
    statements: tuple[str, ...]


def _columns(record: type[Record]) -> list[str]:
    return [field.name for field in dataclasses.fields(record)]


def _source(record: type[Record]) -> str:
    columns = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in _columns(record))
    return f"jsonb_to_recordset($1::jsonb) AS given({columns})"


def _insert_of_epoch(name: str, record: type[Record]) -> str:
    columns = ", ".join(_columns(record))
    types = ", ".join(f"{each} {_TYPES.get(each, 'text')}" for each in _columns(record))
    return (
        f"INSERT INTO {name} AS kept ({columns}, epoch) SELECT {columns}, coalesce(epoch, 0) "
        f"FROM jsonb_to_recordset($1::jsonb) AS given({types}, epoch bigint)"
    )


def _insert(name: str, record: type[Record]) -> str:
    columns = ", ".join(_columns(record))
    return f"INSERT INTO {name} AS kept ({columns}) SELECT {columns} FROM {_source(record)}"


def _follow(name: str, key: str, record: type[ObjectRecord]) -> str:
    """Insert or replace rows by epoch and version, the pods' columns by that of their own."""
    later_epoch = "excluded.epoch > kept.epoch"
    newer = (
        "(excluded.resource_version > kept.resource_version OR excluded.deleted_at IS NOT NULL "
        "AND excluded.resource_version = kept.resource_version)"
    )
    versions = {column: newer for column in _columns(record) if column != key}
    any_newer = newer
    if record is ServerRecord:
        newer_pods = "excluded.pods_version > kept.pods_version OR excluded.deleted_at IS NOT NULL"
        versions |= dict.fromkeys(_OF_PODS, newer_pods)
        any_newer = f"({newer} OR {newer_pods})"
    changes = ", ".join(
        f"{column} = CASE WHEN {later_epoch} OR {condition} "
        f"THEN excluded.{column} ELSE kept.{column} END"
        for column, condition in versions.items()
    )
    return (
        f"{_insert_of_epoch(name, record)} ON CONFLICT ({key}) DO UPDATE "
        f"SET {changes}, epoch = excluded.epoch WHERE {later_epoch} "
        f"OR excluded.epoch = kept.epoch AND kept.deleted_at IS NULL AND {any_newer}"
    )


_MEASURED: Final = (
    "UPDATE server_records kept SET memory_current_mb = given.memory_current_mb, "
    "memory_max_mb = greatest(kept.memory_max_mb, given.memory_max_mb), "
    "cpu_usage_percent = given.cpu_usage_percent, tokens_per_second = given.tokens_per_second, "
    "measured_at = given.sampled_at FROM (SELECT DISTINCT ON (server_uuid) * "
    f"FROM {_source(UsageRecord)} ORDER BY server_uuid, sampled_at DESC) AS given "
    "WHERE kept.server_uuid = given.server_uuid "
    "AND (kept.measured_at IS NULL OR kept.measured_at < given.sampled_at)"
)


def _followed(name: str, key: str, record: type[ObjectRecord]) -> Table:
    return Table(name=name, key=key, record=record, statements=(_follow(name, key, record),))


def _appended(name: str, key: str, record: type[Record], *besides: str) -> Table:
    once = f"{_insert(name, record)} ON CONFLICT DO NOTHING"
    return Table(name=name, key=key, record=record, statements=(once, *besides))


SERVERS: Final = _followed("server_records", "server_uuid", ServerRecord)
MODELS: Final = _followed("model_records", "uuid", ModelRecord)
CONTRACTS: Final = _followed("contract_records", "uuid", ContractRecord)
USAGE: Final = _appended("usage_samples", "server_uuid", UsageRecord, _MEASURED)
ADMISSIONS: Final = _appended("admission_records", "request_uid", AdmissionRecord)

OBJECTS: Final = (MODELS, SERVERS, CONTRACTS)
TABLES: Final[Mapping[type[Record], Table]] = {
    table.record: table for table in (*OBJECTS, USAGE, ADMISSIONS)
}
"""By the kind of record, in the order in which they are written."""


def mark_deleted_sql(table: Table) -> str:
    """Mark rows as deleted, `$1` being their keys.

    `$2` are the versions that the cluster did not have them at: a row that is newer stays, unless
    it is of an epoch before `$3`.
    """
    return (
        f"UPDATE {table.name} kept SET status = 'Deleted', status_reason = 'Deleted', "
        "status_message = '', deleted_at = now(), updated_at = now(), "
        "resource_version = gone.version, epoch = $3 "
        "FROM unnest($1::uuid[], $2::bigint[]) AS gone (key, version) "
        f"WHERE kept.{table.key} = gone.key AND kept.deleted_at IS NULL "
        "AND (kept.epoch < $3 OR kept.epoch = $3 AND kept.resource_version <= gone.version)"
    )


def live_versions_sql(table: Table) -> str:
    """Key, epoch and versions of the rows that are not deleted."""
    pods = "pods_version" if table is SERVERS else "0::bigint"
    return (
        f"SELECT {table.key}::text AS key, epoch, resource_version, {pods} AS pods_version "
        f"FROM {table.name} WHERE deleted_at IS NULL"
    )


def highest_version_sql(table: Table) -> str:
    """The highest version of any row of the epoch `$1`."""
    return f"SELECT coalesce(max(resource_version), 0) FROM {table.name} WHERE epoch = $1"


def contradiction_sql(table: Table) -> str:
    """Whether a row of the epoch `$1` can't be, since the cluster is as it is.

    At version `$4` the objects with the keys `$2` had the versions `$3`, and not a higher one, nor
    were they deleted.
    """
    return (
        f"SELECT EXISTS (SELECT FROM {table.name} kept JOIN unnest($2::uuid[], $3::bigint[]) "
        f"AS here (key, version) ON kept.{table.key} = here.key "
        "WHERE kept.epoch = $1 AND kept.resource_version <= $4 AND (kept.resource_version > "
        "here.version OR kept.deleted_at IS NOT NULL AND kept.resource_version = here.version))"
    )


def live_rows_sql(table: Table) -> str:
    """Key and, as JSON, the whole of each row that is not deleted."""
    return (
        f"SELECT {table.key}::text AS key, to_jsonb(kept)::text AS row "
        f"FROM {table.name} kept WHERE deleted_at IS NULL"
    )
