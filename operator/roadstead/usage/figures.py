"""The usage fields in a ModelServe's status, and when a change is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Final, Self

from roadstead.api.quantity import size_text
from roadstead.api.raw import Raw
from roadstead.usage.book import Usage

CHANGE: Final = 0.02
"""Smaller relative changes of memory are not written."""
CPU_POINTS: Final = 10
CPU_CHANGE: Final = 0.2
"""CPU is written if it changes by both: an idle server's value fluctuates."""
STATUS_WRITE_SECONDS: Final = 30.0
"""Minimum time between two writes for one server."""
_MAX_PERCENT: Final = 2**31 - 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figures:
    """Memory in bytes, CPU in whole percent of a core; None while unknown."""

    memory: int
    memory_max: int
    cpu_percent: int | None

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """Return the figures of a measurement."""
        cpu = usage.cpu_percent
        return cls(
            memory=usage.memory_bytes,
            memory_max=usage.memory_max_bytes,
            cpu_percent=None if cpu is None else min(_MAX_PERCENT, round(cpu)),
        )

    @classmethod
    def of_status(cls, status: Raw) -> Self | None:
        """Return the figures in a status; None if it has none."""
        if "memoryCurrentBytes" not in status:
            return None
        return cls(
            memory=status["memoryCurrentBytes"],
            memory_max=status.get("memoryMaxBytes", 0),
            cpu_percent=status.get("cpuUsagePercent"),
        )

    def fields(self) -> dict[str, Any]:
        """Return the fields of the status."""
        shown: dict[str, Any] = {
            "memoryCurrentBytes": self.memory,
            "memoryMaxBytes": self.memory_max,
            "memory": size_text(self.memory),
            "memoryMax": size_text(self.memory_max),
        }
        return shown if self.cpu_percent is None else {**shown, "cpuUsagePercent": self.cpu_percent}


def needs_write(shown: Figures | None, now: Figures, *, seconds: float) -> bool:
    """Whether `now` replaces the figures that were written `seconds` ago."""
    if shown is None or (shown.cpu_percent is None and now.cpu_percent is not None):
        return True
    if (shown.memory == 0) != (now.memory == 0) or now.memory_max >= 2 * shown.memory_max > 0:
        return True  # The server stops, starts or loads its model: write at once.
    return seconds >= STATUS_WRITE_SECONDS and (
        _memory_changed(shown.memory, now.memory)
        or _memory_changed(shown.memory_max, now.memory_max)
        or _cpu_changed(shown.cpu_percent, now.cpu_percent)
    )


def _memory_changed(before: int, after: int) -> bool:
    return abs(after - before) > CHANGE * before


def _cpu_changed(before: int | None, after: int | None) -> bool:
    if before is None or after is None:
        return False
    return abs(after - before) >= max(CPU_POINTS, CPU_CHANGE * before)


class ShownUsage:
    """The figures that each server's status shows; those in its status until newer ones exist.

    Reconcilers read it, so that a write of the status for another reason does not change the
    usage.
    """

    def __init__(self) -> None:
        self._shown: dict[str, tuple[Figures, float]] = {}

    def of(self, server_uuid: str, status: Raw) -> Figures | None:
        """Return the figures to show; None before the first measurement."""
        if server_uuid in self._shown:
            return self._shown[server_uuid][0]
        return Figures.of_status(status)

    def offer(self, server_uuid: str, status: Raw, usage: Usage, *, now: float) -> bool:
        """Show a measurement if the change is large enough; return whether. `now` is in seconds."""
        shown = self.of(server_uuid, status)
        new = Figures.of(usage)
        if new.cpu_percent is None and shown is not None:
            new = dataclasses.replace(new, cpu_percent=shown.cpu_percent)
        _, since = self._shown.get(server_uuid, (None, float("-inf")))
        if not needs_write(shown, new, seconds=now - since):
            return False
        self._shown[server_uuid] = (new, now)
        return True

    def keep(self, server_uuids: Iterable[str]) -> None:
        """Drop all servers except these."""
        kept = set(server_uuids)
        self._shown = {uuid: one for uuid, one in self._shown.items() if uuid in kept}
