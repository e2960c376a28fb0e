"""The location of an object in an S3 store."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreLocation:
    """One object: `endpoint` is `http[s]://host[:port]`, `path` the key within `bucket`."""

    endpoint: str
    bucket: str
    path: str

    def __str__(self) -> str:
        return f"{self.endpoint}/{self.bucket}/{self.path}"
