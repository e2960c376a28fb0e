"""Parses the kubelet's `/metrics/cadvisor`: memory, peak memory and CPU of our containers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Final

from roadstead.usage.exposition import Series, SeriesReader
from roadstead.usage.readings import ContainerReading, PodName, Wanted

WORKING_SET: Final = "container_memory_working_set_bytes"
PEAK: Final = "container_memory_max_usage_bytes"
CPU: Final = "container_cpu_usage_seconds_total"

Readings = dict[PodName, dict[str, ContainerReading]]
"""By pod, then by container name."""

_ID: Final = re.compile(r"([0-9a-f]{64})(?:\.scope)?$")
"""The container ID at the end of a cgroup's name, for both drivers: cgroupfs and systemd."""
_Key = tuple[PodName, str, str]
"""Pod, container and cgroup; a restarted container has another cgroup."""


@dataclasses.dataclass(kw_only=True)
class _Found:
    memory: Series | None = None
    peak: Series | None = None
    cpu: Series | None = None


class CadvisorReader:
    """Reads one page in chunks and keeps the `wanted` containers.

    A container is identified by its ID, at the end of its cgroup's name, or by its labels: without
    the runtime's socket, cAdvisor sets no labels.
    """

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._ids = {
            container_id: (pod, name)
            for pod, containers in wanted.items()
            for name, container_id in containers.items()
            if container_id
        }
        self._series = SeriesReader((WORKING_SET, PEAK, CPU))
        self._found: dict[_Key, _Found] = {}

    def feed(self, chunk: bytes) -> None:
        """Parse the next chunk of the page."""
        for series in self._series.feed(chunk):
            self._add(series)

    def readings(self) -> Readings:
        """Return the readings of the whole page.

        While a container is replaced, the page may contain both: the latest measurement counts,
        since the old container uses nothing any more.
        """
        for series in self._series.close():
            self._add(series)
        readings: Readings = {}
        for (pod, container, _), found in sorted(self._found.items(), key=_measured_at):
            # cAdvisor may have measured before the container started, and measures every 15 s.
            if found.memory is not None and found.memory.value > 0:
                readings.setdefault(pod, {})[container] = _reading(found.memory, found)
        return readings

    def _add(self, series: Series) -> None:
        labels = series.labels
        container = self._container_of(labels)
        if container is None:
            return
        found = self._found.setdefault((*container, labels.get("id", "")), _Found())
        if series.name == WORKING_SET:
            found.memory = series
        elif series.name == PEAK:
            found.peak = series
        elif labels.get("cpu", "total") == "total":
            found.cpu = series

    def _container_of(self, labels: Mapping[str, str]) -> tuple[PodName, str] | None:
        match = _ID.search(labels.get("id", ""))
        if match is not None and match[1] in self._ids:
            return self._ids[match[1]]
        pod = labels.get("namespace", ""), labels.get("pod", "")
        container = labels.get("container", "")
        return (pod, container) if container in self._wanted.get(pod, ()) else None


def _measured_at(item: tuple[_Key, _Found]) -> tuple[float, float]:
    memory = item[1].memory
    return (memory.at or 0.0, memory.value) if memory is not None else (0.0, 0.0)


def _reading(memory: Series, found: _Found) -> ContainerReading:
    return ContainerReading(
        memory_bytes=int(memory.value),
        peak_bytes=int(found.peak.value) if found.peak is not None else None,
        cpu_seconds=found.cpu.value if found.cpu is not None else None,
        cpu_at=found.cpu.at if found.cpu is not None else None,
    )
