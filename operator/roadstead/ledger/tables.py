"""SQL that writes rows: a JSON array at once, and never an older row over a newer one.

An object's row is replaced only by one with a higher `resource_version` (comparable within a kind:
KEP-5504), so the writer, the order and repetitions don't matter. A deleted row stays deleted: no
UID is used twice. Both rules apply within an epoch: after a restore of etcd a new epoch starts,
whose rows replace those of earlier epochs. Rows without an epoch are of epoch 0.
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
"""The types of columns that are not text."""

_POD_COLUMNS: Final = ("pod_names", "pods_version")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A table, its key column, and the statements that write its rows.

    Each statement has one parameter, a JSON array of rows.
    """

    name: str
    key: str
    record: type[Record]
    statements: tuple[str, ...]


def _columns(record: type[Record]) -> list[str]:
    return [field.name for field in dataclasses.fields(record)]


def _recordset_sql(record: type[Record]) -> str:
    columns = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in _columns(record))
    return f"jsonb_to_recordset($1::jsonb) AS given({columns})"


def _insert_with_epoch_sql(name: str, record: type[Record]) -> str:
    columns = ", ".join(_columns(record))
    types = ", ".join(f"{each} {_TYPES.get(each, 'text')}" for each in _columns(record))
    return (
        f"INSERT INTO {name} AS kept ({columns}, epoch) SELECT {columns}, coalesce(epoch, 0) "
        f"FROM jsonb_to_recordset($1::jsonb) AS given({types}, epoch bigint)"
    )


def _insert_sql(name: str, record: type[Record]) -> str:
    columns = ", ".join(_columns(record))
    return f"INSERT INTO {name} AS kept ({columns}) SELECT {columns} FROM {_recordset_sql(record)}"


def _upsert_sql(name: str, key: str, record: type[ObjectRecord]) -> str:
    """Return SQL that inserts or replaces rows by epoch and version, pod columns by their own."""
    later_epoch = "excluded.epoch > kept.epoch"
    newer = (
        "(excluded.resource_version > kept.resource_version OR excluded.deleted_at IS NOT NULL "
        "AND excluded.resource_version = kept.resource_version)"
    )
    versions = {column: newer for column in _columns(record) if column != key}
    any_newer = newer
    revives = "false"
    if record is ServerRecord:
        # A server that was restored from a backup has the key of a deleted one.
        revives = (
            "(excluded.created_at > kept.created_at "
            "AND excluded.resource_version > kept.resource_version)"
        )
        newer_pods = (
            f"{revives} OR excluded.created_at >= kept.created_at "
            "AND (excluded.pods_version > kept.pods_version OR excluded.deleted_at IS NOT NULL)"
        )
        versions |= dict.fromkeys(_POD_COLUMNS, newer_pods)
        any_newer = f"({newer} OR {newer_pods})"
    changes = ", ".join(
        f"{column} = CASE WHEN {later_epoch} OR {condition} "
        f"THEN excluded.{column} ELSE kept.{column} END"
        for column, condition in versions.items()
    )
    return (
        f"{_insert_with_epoch_sql(name, record)} ON CONFLICT ({key}) DO UPDATE "
        f"SET {changes}, epoch = excluded.epoch WHERE {later_epoch} "
        "OR excluded.epoch = kept.epoch "
        f"AND ({revives} OR kept.deleted_at IS NULL AND {any_newer})"
    )


_UPDATE_LATEST_USAGE: Final = (
    "UPDATE server_records kept SET memory_current_mb = given.memory_current_mb, "
    "memory_max_mb = greatest(kept.memory_max_mb, given.memory_max_mb), "
    "cpu_usage_percent = given.cpu_usage_percent, tokens_per_second = given.tokens_per_second, "
    "measured_at = given.sampled_at FROM (SELECT DISTINCT ON (server_uuid) * "
    f"FROM {_recordset_sql(UsageRecord)} ORDER BY server_uuid, sampled_at DESC) AS given "
    "WHERE kept.server_uuid = given.server_uuid "
    "AND (kept.measured_at IS NULL OR kept.measured_at < given.sampled_at)"
)


def _object_table(name: str, key: str, record: type[ObjectRecord]) -> Table:
    return Table(name=name, key=key, record=record, statements=(_upsert_sql(name, key, record),))


def _append_table(name: str, key: str, record: type[Record], *besides: str) -> Table:
    once = f"{_insert_sql(name, record)} ON CONFLICT DO NOTHING"
    return Table(name=name, key=key, record=record, statements=(once, *besides))


SERVERS: Final = _object_table("server_records", "server_uuid", ServerRecord)
MODELS: Final = _object_table("model_records", "uuid", ModelRecord)
CONTRACTS: Final = _object_table("contract_records", "uuid", ContractRecord)
USAGE: Final = _append_table("usage_samples", "server_uuid", UsageRecord, _UPDATE_LATEST_USAGE)
ADMISSIONS: Final = _append_table("admission_records", "request_uid", AdmissionRecord)

OBJECTS: Final = (MODELS, SERVERS, CONTRACTS)
TABLES: Final[Mapping[type[Record], Table]] = {
    table.record: table for table in (*OBJECTS, USAGE, ADMISSIONS)
}
"""By type of record, in the order of writing."""


def mark_deleted_sql(table: Table) -> str:
    """Return SQL that marks rows as deleted; `$1` has their keys.

    `$2` has the versions at which they did not exist: a newer row is not marked, unless its epoch
    is before `$3`.
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
    """Return SQL for the key, epoch and versions of the rows that are not deleted."""
    pods = "pods_version" if table is SERVERS else "0::bigint"
    return (
        f"SELECT {table.key}::text AS key, epoch, resource_version, {pods} AS pods_version "
        f"FROM {table.name} WHERE deleted_at IS NULL"
    )


def highest_version_sql(table: Table) -> str:
    """Return SQL for the highest version of the rows of epoch `$1`."""
    return f"SELECT coalesce(max(resource_version), 0) FROM {table.name} WHERE epoch = $1"


def contradiction_sql(table: Table) -> str:
    """Return SQL for whether a row of epoch `$1` contradicts the cluster.

    At version `$4` the objects with the keys `$2` existed and had the versions `$3`.
    """
    return (
        f"SELECT EXISTS (SELECT FROM {table.name} kept JOIN unnest($2::uuid[], $3::bigint[]) "
        f"AS here (key, version) ON kept.{table.key} = here.key "
        "WHERE kept.epoch = $1 AND kept.resource_version <= $4 AND (kept.resource_version > "
        "here.version OR kept.deleted_at IS NOT NULL AND kept.resource_version = here.version))"
    )


def live_rows_sql(table: Table) -> str:
    """Return SQL for the key and content, as JSON, of each row that is not deleted."""
    return (
        f"SELECT {table.key}::text AS key, to_jsonb(kept)::text AS row "
        f"FROM {table.name} kept WHERE deleted_at IS NULL"
    )
