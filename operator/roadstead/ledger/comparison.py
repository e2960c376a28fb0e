"""Differences between the cluster and the ledger (pure)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from roadstead.api.raw import Raw
from roadstead.ledger.records import ObjectRecord, key_of, row

_NOT_COMPARED: Final = frozenset({"updated_at", "resource_version", "pods_version"})
"""When and from which version a row was written, not its content."""
_TIMES: Final = frozenset({"created_at", "started_at", "expires_at", "deleted_at"})
_MAX_SHOWN: Final = 60


def differences(
    desired: Iterable[ObjectRecord], stored: Mapping[str, Raw], *, kind: str
) -> Iterator[str]:
    """Yield a line for each field that differs, and for each missing or extra row.

    `stored` has the live rows of one table, as JSON, by key.
    """
    seen = set()
    for record in desired:
        seen.add(key_of(record))
        found = stored.get(key_of(record))
        if found is None:
            yield f"{kind} {_name(record)}: is not in the ledger"
            continue
        for column, ours, theirs in _changed_columns(record, found):
            difference = f"{column} is {ours} in the cluster, {theirs} in the ledger"
            yield f"{kind} {_name(record)}: {difference}"
    for key in sorted(stored.keys() - seen):
        yield f"{kind} {_title(stored[key])}: is in the ledger, not in the cluster"


def _changed_columns(record: ObjectRecord, found: Raw) -> Iterator[tuple[str, str, str]]:
    for column, ours in row(record).items():
        if column in _NOT_COMPARED:
            continue
        theirs = found.get(column)
        if _comparable(column, ours) != _comparable(column, theirs):
            yield column, _short(ours), _short(theirs)


def _comparable(column: str, value: Any) -> Any:
    if column in _TIMES and value is not None:
        return datetime.datetime.fromisoformat(value)
    return value


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _name(record: ObjectRecord) -> str:
    return _title(vars(record))


def _title(found: Raw) -> str:
    key = found.get("server_uuid") or found.get("uuid")
    name = found.get("name") or found.get("model_name")
    place = f"{found['namespace']}/{name}" if "namespace" in found else str(name)
    return f"{place} ({key})"
