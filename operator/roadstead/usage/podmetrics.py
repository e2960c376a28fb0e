"""Parses `metrics.k8s.io`, the fallback for kubelets that do not respond; it has no peak."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from roadstead.api.quantity import MAXIMUM, parse_quantity
from roadstead.api.raw import Raw, section
from roadstead.errors import InvalidResource
from roadstead.usage.cadvisor import Readings
from roadstead.usage.readings import ContainerReading, Wanted


def parse_pod_metrics(items: Collection[Raw], wanted: Wanted) -> Readings:
    """Return the readings of the wanted containers; invalid PodMetrics are ignored."""
    readings: Readings = {}
    for item in items:
        meta = section(item, "metadata")
        pod = str(meta.get("namespace", "")), str(meta.get("name", ""))
        for container in item.get("containers") or ():
            found = _reading(section(container, "usage"))
            if found is not None and container.get("name") in wanted.get(pod, ()):
                readings.setdefault(pod, {})[container["name"]] = found
    return readings


def _reading(usage: Raw) -> ContainerReading | None:
    memory, cpu = _number(usage.get("memory")), _number(usage.get("cpu"))
    if memory is None:
        return None
    percent = float(cpu * 100) if cpu is not None else None
    return ContainerReading(memory_bytes=int(memory), cpu_percent=percent)


def _number(value: object) -> Decimal | None:
    try:
        found: Decimal = parse_quantity(str(value), field="usage")
    except InvalidResource:
        return None
    return found if 0 <= found <= MAXIMUM else None
