"""Which samples are kept: those that say something new, and one now and then."""

from __future__ import annotations

import datetime
from typing import Final

from roadstead.ledger.records import UsageRecord

STEADY: Final = datetime.timedelta(minutes=10)
"""A sample that repeats the one before it is left out for so long."""
_MEMORY: Final = 0.02
_CPU_POINTS: Final = 2.0


class Thinning:
    """Remembers what was kept last of each server."""

    def __init__(self) -> None:
        self._kept: dict[str, UsageRecord] = {}

    def keeps(self, sample: UsageRecord) -> bool:
        """Whether to keep it; if so, it is what the next ones are compared with."""
        before = self._kept.get(sample.server_uuid)
        if before is not None and not _tells_more(before, sample):
            return False
        self._kept[sample.server_uuid] = sample
        return True

    def forget(self, server_uuid: str) -> None:
        """A server is gone."""
        self._kept.pop(server_uuid, None)


def _tells_more(before: UsageRecord, now: UsageRecord) -> bool:
    moved = abs(now.memory_current_mb - before.memory_current_mb)
    return (
        moved > _MEMORY * before.memory_current_mb
        or now.memory_max_mb > before.memory_max_mb
        or abs(now.cpu_usage_percent - before.cpu_usage_percent) > _CPU_POINTS
        or now.requests_processing != before.requests_processing
        or _time(now) - _time(before) >= STEADY
    )


def _time(sample: UsageRecord) -> datetime.datetime:
    return datetime.datetime.fromisoformat(sample.sampled_at)
