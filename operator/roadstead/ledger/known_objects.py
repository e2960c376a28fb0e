"""Finds objects in the store by the ledger's rows, including those of deleted Models."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Final

from roadstead.api.model import StoreLocation
from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.errors import LedgerUnavailable
from roadstead.ledger.database import connected, translate_errors

QUERY_SECONDS: Final = 3.0
"""How long a new Model waits for the ledger."""

_KNOWN: Final = """
SELECT minio_endpoint, minio_bucket, minio_path, file_size_bytes
FROM model_records
WHERE sha256 <> '' AND file_size_bytes IS NOT NULL AND minio_endpoint = $1
  AND CASE WHEN $2 = '' THEN model_name = $3 ELSE sha256 = $2 END
ORDER BY deleted_at DESC NULLS FIRST LIMIT 5
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class KnownObject:
    """An object that was verified once, and may no longer exist in the store."""

    location: StoreLocation
    size: int


async def known_objects(
    dsn_file: Path,
    *,
    endpoint: str,
    sha256: str,
    name: str,
    authorities: Authorities = SYSTEM_AUTHORITIES,
) -> list[KnownObject]:
    """Return objects of one store with this digest, or, if it is empty, of a Model of this name.

    Raises LedgerError, after QUERY_SECONDS at the latest.
    """
    try:
        async with (
            asyncio.timeout(QUERY_SECONDS),
            # Not a pool: a Model is new too rarely for an idle process of Postgres.
            connected(dsn_file, authorities) as connection,
        ):
            with translate_errors():
                rows = await connection.fetch(_KNOWN, endpoint, sha256, name)
    except TimeoutError:
        raise LedgerUnavailable("Postgres does not answer in time", reason="Timeout") from None
    return [
        KnownObject(
            location=StoreLocation(
                endpoint=row["minio_endpoint"], bucket=row["minio_bucket"], path=row["minio_path"]
            ),
            size=row["file_size_bytes"],
        )
        for row in rows
    ]
