"""What a ModelServe's status shows of its usage, and when that is worth a write."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Final, Self

from roadstead.api.raw import Raw
from roadstead.api.sizes import size_text
from roadstead.usage.book import Usage

CHANGE: Final = 0.02
"""Memory that changed by less is not written: what is read is not further off than that."""
CPU_POINTS: Final = 10
CPU_CHANGE: Final = 0.2
"""CPU has to change by so many points, and by a fifth: an idle server's flutters a little."""
STATUS_WRITE_SECONDS: Final = 30.0
"""Between two writes for one server."""
_MAX_PERCENT: Final = 2**31 - 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figures:
    """Memory in bytes, CPU in whole percent of a core; None before it is known."""

    memory: int
    memory_max: int
    cpu_percent: int | None

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """Of what was measured."""
        cpu = usage.cpu_percent
        return cls(
            memory=usage.memory_bytes,
            memory_max=usage.memory_max_bytes,
            cpu_percent=None if cpu is None else min(_MAX_PERCENT, round(cpu)),
        )

    @classmethod
    def of_status(cls, status: Raw) -> Self | None:
        """As they were written; None where they never were."""
        if "memoryCurrentBytes" not in status:
            return None
        return cls(
            memory=status["memoryCurrentBytes"],
            memory_max=status.get("memoryMaxBytes", 0),
            cpu_percent=status.get("cpuUsagePercent"),
        )

    def fields(self) -> dict[str, Any]:
        """As the status holds them."""
        shown: dict[str, Any] = {
            "memoryCurrentBytes": self.memory,
            "memoryMaxBytes": self.memory_max,
            "memory": size_text(self.memory),
            "memoryMax": size_text(self.memory_max),
        }
        return shown if self.cpu_percent is None else {**shown, "cpuUsagePercent": self.cpu_percent}


def worth_showing(shown: Figures | None, now: Figures, *, seconds: float) -> bool:
    """Whether to write `now` over what was shown `seconds` ago."""
    if shown is None or (shown.cpu_percent is None and now.cpu_percent is not None):
        return True
    if (shown.memory == 0) != (now.memory == 0) or now.memory_max >= 2 * shown.memory_max > 0:
        return True  # It ends, begins, or loads its model: that is not to wait.
    return seconds >= STATUS_WRITE_SECONDS and (
        _other(shown.memory, now.memory)
        or _other(shown.memory_max, now.memory_max)
        or _other_cpu(shown.cpu_percent, now.cpu_percent)
    )


def _other(before: int, after: int) -> bool:
    return abs(after - before) > CHANGE * before


def _other_cpu(before: int | None, after: int | None) -> bool:
    if before is None or after is None:
        return False
    return abs(after - before) >= max(CPU_POINTS, CPU_CHANGE * before)


class ShownUsage:
    """The figures that each server's status is to show; those of its status until there are newer.

    Reconcilers read it, so that whatever else they write a status for, usage alone changes in it
    only when that was worth a write.
    """

    def __init__(self) -> None:
        self._shown: dict[str, tuple[Figures, float]] = {}

    def of(self, server_uuid: str, status: Raw) -> Figures | None:
        """What the status is to show; None before anything was measured."""
        if server_uuid in self._shown:
            return self._shown[server_uuid][0]
        return Figures.of_status(status)

    def offer(self, server_uuid: str, status: Raw, usage: Usage, *, now: float) -> bool:
        """Show what was measured if it is worth it; says so. `now` is in seconds."""
        shown = self.of(server_uuid, status)
        new = Figures.of(usage)
        if new.cpu_percent is None and shown is not None:
            new = dataclasses.replace(new, cpu_percent=shown.cpu_percent)
        _, since = self._shown.get(server_uuid, (None, float("-inf")))
        if not worth_showing(shown, new, seconds=now - since):
            return False
        self._shown[server_uuid] = (new, now)
        return True

    def keep(self, server_uuids: Iterable[str]) -> None:
        """Forget every server but these."""
        kept = set(server_uuids)
        self._shown = {uuid: one for uuid, one in self._shown.items() if uuid in kept}
