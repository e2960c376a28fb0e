"""The console's queries of the ledger."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Sequence
from typing import Any, Final, Literal

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.raw import Raw
from roadstead.console.data.coverage import Coverage
from roadstead.console.data.ledger import Ledger

PAGE_SIZE: Final = 50

Row = dict[str, Any]
ServerSort = Literal["name", "memory", "cpu", "updated"]

_MODEL: Final = """uuid::text, model_name, display_name, quant_level, format, architecture,
 parameter_count, context_length, file_size_bytes, sha256, status, status_reason, status_message,
 transfer, servers, created_at, updated_at"""
_SERVER: Final = """server_uuid::text, model_uuid::text, model_name, namespace, name,
 runtime_params, resources, status, status_reason, status_message, conditions,
 desired_replicas, replicas,
 ready_replicas, pod_names, service_name, subject, contract, gateway_url, memory_current_mb,
 memory_max_mb, memory_limit_mb, cpu_usage_percent, tokens_per_second, measured_at, created_at,
 started_at, updated_at, deleted_at"""
_ORDERS: Final[dict[ServerSort, str]] = {
    "name": "namespace, name, server_uuid",
    "memory": "memory_current_mb DESC NULLS LAST, server_uuid",
    "cpu": "cpu_usage_percent DESC NULLS LAST, server_uuid",
    "updated": "updated_at DESC, server_uuid",
}
# $1 namespaces and $2 contracts are the visible pairs; null means everything is visible.
_VISIBLE: Final = """deleted_at IS NULL AND ($1::text[] IS NULL OR (namespace, contract) IN
 (SELECT * FROM unnest($1::text[], $2::text[])))"""
_FOUND: Final = f"""{_VISIBLE} AND ($3 = '' OR position($3 IN lower(concat_ws(' ', namespace, name,
 model_name, server_uuid, subject, contract))) > 0)"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerFilter:
    """The filter and order of servers."""

    text: str = ""
    status: str = ""
    sort: ServerSort = "name"
    page: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Listed:
    """A page of rows, and the number of rows by status."""

    rows: Sequence[Row]
    counts: dict[str, int]
    total: int
    page: int
    pages: int


async def contracts(ledger: Ledger) -> list[Row]:
    """Return all contracts that are not deleted."""
    return [
        read_row(each)
        for each in await ledger.fetch(
            "SELECT uuid::text, name, spec, used, status, status_reason, status_message,"
            " expires_at, created_at, updated_at FROM contract_records"
            " WHERE deleted_at IS NULL ORDER BY name"
        )
    ]


def parse_contract(row: Row) -> ResourceContract:
    """Parse the contract in a row of `contract_records`."""
    raw: Raw = {
        "metadata": {"name": row["name"], "uid": row["uuid"]},
        "spec": row["spec"],
        "status": {"used": row["used"]},
    }
    return ResourceContract.parse(raw)


async def servers(ledger: Ledger, coverage: Coverage, wanted: ServerFilter) -> Listed:
    """Return a page of the visible servers that are not deleted."""
    places = await _visible_places(ledger, coverage)
    text = wanted.text.strip().lower()
    counted = await ledger.fetch(
        f"SELECT status, count(*) AS n FROM server_records WHERE {_FOUND} GROUP BY status",
        *places,
        text,
    )
    counts = {each["status"]: each["n"] for each in counted}
    total = counts.get(wanted.status, 0) if wanted.status else sum(counts.values())
    pages = max(1, -(-total // PAGE_SIZE))
    page = min(max(1, wanted.page), pages)
    rows = await ledger.fetch(
        f"SELECT {_SERVER} FROM server_records WHERE {_FOUND} AND ($4 = '' OR status = $4)"
        f" ORDER BY {_ORDERS[wanted.sort]} LIMIT $5 OFFSET $6",
        *places,
        text,
        wanted.status,
        PAGE_SIZE,
        (page - 1) * PAGE_SIZE,
    )
    return Listed(
        rows=[read_row(each) for each in rows], counts=counts, total=total, page=page, pages=pages
    )


async def server(ledger: Ledger, coverage: Coverage, server_uuid: str) -> Row | None:
    """Return a current or deleted server, if it is visible."""
    found = await ledger.row(
        f"SELECT {_SERVER} FROM server_records WHERE server_uuid = $1", uuid.UUID(server_uuid)
    )
    if found is None or not coverage.covers_server(found["namespace"], found["contract"]):
        return None
    return read_row(found)


async def models(ledger: Ledger, coverage: Coverage, *, text: str = "") -> list[Row]:
    """Return the visible models that are not deleted."""
    rows = await ledger.fetch(
        f"SELECT {_MODEL} FROM model_records WHERE deleted_at IS NULL AND position($1 IN lower("
        "concat_ws(' ', model_name, display_name, architecture, quant_level))) > 0"
        " ORDER BY model_name",
        text.strip().lower(),
    )
    return [read_row(each) for each in rows if coverage.covers_model(each["model_name"])]


async def servers_by_model(ledger: Ledger, coverage: Coverage) -> dict[str, list[Row]]:
    """Return the visible servers by the name of their model."""
    places = await _visible_places(ledger, coverage)
    rows = await ledger.fetch(
        "SELECT server_uuid::text, namespace, name, status, model_name FROM server_records"
        f" WHERE {_VISIBLE} ORDER BY namespace, name",
        *places,
    )
    found: dict[str, list[Row]] = {}
    for each in rows:
        found.setdefault(each["model_name"], []).append(read_row(each))
    return found


async def _visible_places(
    ledger: Ledger, coverage: Coverage
) -> tuple[list[str] | None, list[str] | None]:
    """Return the visible pairs of namespaces and contracts; None if everything is visible."""
    if coverage.everything:
        return None, None
    names = [each.meta.name for each in coverage.contracts]
    rows = await ledger.fetch(
        "SELECT DISTINCT namespace, contract FROM server_records"
        " WHERE deleted_at IS NULL AND contract = ANY($1::text[])",
        names,
    )
    pairs = [(each["namespace"], each["contract"]) for each in rows]
    visible = [pair for pair in pairs if coverage.covers_server(*pair)]
    return [namespace for namespace, _ in visible], [contract for _, contract in visible]


_JSON: Final = frozenset({"runtime_params", "resources", "conditions", "transfer", "spec", "used"})


def read_row(record: Any) -> Row:
    """Return a row with its JSON columns parsed."""
    return {
        name: json.loads(value) if name in _JSON and isinstance(value, str) else value
        for name, value in dict(record).items()
    }
