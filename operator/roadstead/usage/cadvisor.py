"""The kubelet's `/metrics/cadvisor`: memory, its peak, and CPU of the containers that are ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Final

from roadstead.usage.exposition import Series, SeriesReader
from roadstead.usage.readings import ContainerReading, PodName

WORKING_SET: Final = "container_memory_working_set_bytes"
PEAK: Final = "container_memory_max_usage_bytes"
CPU: Final = "container_cpu_usage_seconds_total"

Readings = dict[PodName, dict[str, ContainerReading]]
"""By pod, then by the container's name."""

_Key = tuple[PodName, str, str]
"""Pod, container, and the cgroup, which a container that was started anew has another of."""


@dataclasses.dataclass(kw_only=True)
class _Found:
    memory: Series | None = None
    peak: Series | None = None
    cpu: Series | None = None


class CadvisorReader:
    """Reads one page in chunks; `wanted` are the containers, by pod, that are read at all."""

    def __init__(self, wanted: Mapping[PodName, Collection[str]]) -> None:
        self._wanted = wanted
        self._series = SeriesReader((WORKING_SET, PEAK, CPU))
        self._found: dict[_Key, _Found] = {}

    def feed(self, chunk: bytes) -> None:
        """Take in a part of the page."""
        for series in self._series.feed(chunk):
            self._take(series)

    def readings(self) -> Readings:
        """What the page said, once it is read.

        While a container is replaced by its successor both may be there: the one that was measured
        last counts, since the other one uses nothing any more.
        """
        for series in self._series.close():
            self._take(series)
        readings: Readings = {}
        for (pod, container, _), found in sorted(self._found.items(), key=_measured):
            if found.memory is not None:
                readings.setdefault(pod, {})[container] = _reading(found.memory, found)
        return readings

    def _take(self, series: Series) -> None:
        labels = series.labels
        pod = labels.get("namespace", ""), labels.get("pod", "")
        container = labels.get("container", "")
        if container not in self._wanted.get(pod, ()):
            return
        found = self._found.setdefault((pod, container, labels.get("id", "")), _Found())
        if series.name == WORKING_SET:
            found.memory = series
        elif series.name == PEAK:
            found.peak = series
        elif labels.get("cpu", "total") == "total":
            found.cpu = series


def _measured(item: tuple[_Key, _Found]) -> tuple[float, float]:
    memory = item[1].memory
    return (memory.at or 0.0, memory.value) if memory is not None else (0.0, 0.0)


def _reading(memory: Series, found: _Found) -> ContainerReading:
    return ContainerReading(
        memory_bytes=int(memory.value),
        peak_bytes=int(found.peak.value) if found.peak is not None else None,
        cpu_seconds=found.cpu.value if found.cpu is not None else None,
        cpu_at=found.cpu.at if found.cpu is not None else None,
    )
