"""Selects usage samples to keep: changes, and one every ten minutes."""

from __future__ import annotations

import datetime
from typing import Final

from roadstead.ledger.records import UsageRecord

REPEAT_INTERVAL: Final = datetime.timedelta(minutes=10)
"""A sample that repeats the last one is kept again after this time."""
_MEMORY: Final = 0.02
_CPU_POINTS: Final = 2.0


class Thinning:
    """Remembers the last kept sample of each server."""

    def __init__(self) -> None:
        self._kept: dict[str, UsageRecord] = {}

    def accept(self, sample: UsageRecord) -> bool:
        """Whether to keep the sample; the next ones are compared with the last kept one."""
        before = self._kept.get(sample.server_uuid)
        if before is not None and not _differs(before, sample):
            return False
        self._kept[sample.server_uuid] = sample
        return True

    def forget(self, server_uuid: str) -> None:
        """Drop a deleted server."""
        self._kept.pop(server_uuid, None)


def _differs(before: UsageRecord, now: UsageRecord) -> bool:
    moved = abs(now.memory_current_mb - before.memory_current_mb)
    return (
        moved > _MEMORY * before.memory_current_mb
        or now.memory_max_mb > before.memory_max_mb
        or abs(now.cpu_usage_percent - before.cpu_usage_percent) > _CPU_POINTS
        or now.requests_processing != before.requests_processing
        or _time(now) - _time(before) >= REPEAT_INTERVAL
    )


def _time(sample: UsageRecord) -> datetime.datetime:
    return datetime.datetime.fromisoformat(sample.sampled_at)
