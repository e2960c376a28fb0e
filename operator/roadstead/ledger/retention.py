"""The retention of the partitioned tables, in days."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final, Self

from roadstead.settings import EnvReader

MAX_DAYS: Final = 3650


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retention:
    """Days that rows of each partitioned table are kept.

    The order of the fields is that of the parameters of `keep_partitions`.
    """

    history: int
    usage: int
    admissions: int

    @classmethod
    def read(cls, env: EnvReader) -> Self:
        """Read the environment; the operator and `ledger migrate` use the same variables."""
        return cls(
            history=env.integer("ROADSTEAD_LEDGER_HISTORY_DAYS", 90, high=MAX_DAYS),
            usage=env.integer("ROADSTEAD_LEDGER_USAGE_DAYS", 35, high=MAX_DAYS),
            admissions=env.integer("ROADSTEAD_LEDGER_ADMISSION_DAYS", 90, high=MAX_DAYS),
        )

    def by_table(self) -> Mapping[str, int]:
        """Return the days of each table."""
        return {
            "status_history": self.history,
            "usage_samples": self.usage,
            "admission_records": self.admissions,
        }
