"""Settings of the processes that write the ledger."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Self

from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.ledger.retention import Retention
from roadstead.settings import EnvReader


@dataclasses.dataclass(frozen=True, kw_only=True)
class LedgerSettings:
    """The file with the ledger's DSN, read for each connection, and the retention."""

    dsn_file: Path
    retention: Retention
    authorities: Authorities = SYSTEM_AUTHORITIES
    """The authorities of Postgres's certificate, unless the DSN names a CA file."""

    @classmethod
    def read(cls, env: EnvReader) -> Self | None:
        """Read the environment; None without a DSN file, which disables the ledger."""
        if not env.text("ROADSTEAD_LEDGER_DSN_FILE", ""):
            return None
        return cls(
            dsn_file=env.file("ROADSTEAD_LEDGER_DSN_FILE"),
            retention=Retention.read(env),
            authorities=Authorities.read(env),
        )
