"""The kubelet's `/metrics/cadvisor`: memory, its peak, and CPU of the containers that are ours."""

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
"""By pod, then by the container's name."""

_ID: Final = re.compile(r"([0-9a-f]{64})(?:\.scope)?$")
"""At the end of a cgroup's name, by either driver: cgroupfs or systemd."""
_Key = tuple[PodName, str, str]
"""Pod, container, and the cgroup, which a container that was started anew has another of."""


@dataclasses.dataclass(kw_only=True)
class _Found:
    memory: Series | None = None
    peak: Series | None = None
    cpu: Series | None = None


class CadvisorReader:
    """Reads one page in chunks, and of it the `wanted` containers alone.

    They are known by their ID, which ends the name of their cgroup, or else by their labels: where
    cAdvisor does not find the runtime's socket, a container has none.
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
            # cAdvisor may have looked before the container began, and not again for 15 s.
            if found.memory is not None and found.memory.value > 0:
                readings.setdefault(pod, {})[container] = _reading(found.memory, found)
        return readings

    def _take(self, series: Series) -> None:
        labels = series.labels
        named = self._named(labels)
        if named is None:
            return
        found = self._found.setdefault((*named, labels.get("id", "")), _Found())
        if series.name == WORKING_SET:
            found.memory = series
        elif series.name == PEAK:
            found.peak = series
        elif labels.get("cpu", "total") == "total":
            found.cpu = series

    def _named(self, labels: Mapping[str, str]) -> tuple[PodName, str] | None:
        match = _ID.search(labels.get("id", ""))
        if match is not None and match[1] in self._ids:
            return self._ids[match[1]]
        pod = labels.get("namespace", ""), labels.get("pod", "")
        container = labels.get("container", "")
        return (pod, container) if container in self._wanted.get(pod, ()) else None


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
