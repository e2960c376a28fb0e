"""The usage fields of a status, and how often they are written."""

from __future__ import annotations

import random

import pytest

from roadstead.usage.book import Usage
from roadstead.usage.figures import STATUS_WRITE_SECONDS, Figures, ShownUsage, needs_write
from tests.unit.schemas import faults, status_schema

GIB = 2**30


def usage(memory: int = GIB, peak: int = 2 * GIB, cpu: float | None = 5.0) -> Usage:
    return Usage(memory_bytes=memory, memory_max_bytes=peak, cpu_percent=cpu)


def figures(memory: int = GIB, peak: int = 2 * GIB, cpu: int | None = 5) -> Figures:
    return Figures(memory=memory, memory_max=peak, cpu_percent=cpu)


def test_status_has_bytes_and_readable_sizes() -> None:
    fields = figures(512 * 2**20, 612 * 2**20, 42).fields()
    assert fields == {
        "memoryCurrentBytes": 512 * 2**20,
        "memoryMaxBytes": 612 * 2**20,
        "memory": "512 MiB",
        "memoryMax": "612 MiB",
        "cpuUsagePercent": 42,
    }
    assert Figures.of_status(fields) == figures(512 * 2**20, 612 * 2**20, 42)


@pytest.mark.parametrize("cpu", [None, 0.4, 1e12])
def test_the_crd_has_every_field(cpu: float | None) -> None:
    schema = status_schema("modelserves")
    assert list(faults(schema, Figures.of(usage(cpu=cpu)).fields())) == []


def test_status_without_usage_has_no_figures() -> None:
    assert Figures.of_status({"replicas": 1}) is None


@pytest.mark.parametrize(
    ("shown", "now", "seconds", "due"),
    [
        pytest.param(None, figures(), 0, True, id="first"),
        pytest.param(figures(cpu=None), figures(), 1, True, id="cpu-is-known"),
        pytest.param(figures(), figures(0), 1, True, id="ended"),
        pytest.param(figures(0), figures(), 1, True, id="began"),
        pytest.param(figures(), figures(2 * GIB), STATUS_WRITE_SECONDS - 1, False, id="too-soon"),
        pytest.param(figures(), figures(peak=4 * GIB), 1, True, id="max-has-doubled"),
        pytest.param(figures(0, 0), figures(0, 0), 1e6, False, id="still-nothing"),
        pytest.param(figures(), figures(2 * GIB), STATUS_WRITE_SECONDS, True, id="memory"),
        pytest.param(figures(), figures(peak=3 * GIB), STATUS_WRITE_SECONDS, True, id="max"),
        pytest.param(figures(), figures(GIB + GIB // 60), 1e6, False, id="a-little-memory"),
        pytest.param(figures(cpu=0), figures(cpu=9), 1e6, False, id="flutter"),
        pytest.param(figures(cpu=0), figures(cpu=10), STATUS_WRITE_SECONDS, True, id="cpu"),
        pytest.param(figures(cpu=400), figures(cpu=470), 1e6, False, id="a-little-cpu"),
        pytest.param(figures(), figures(), 1e6, False, id="the-same"),
    ],
)
def test_write_is_due_for_large_changes(
    shown: Figures | None, now: Figures, seconds: float, due: bool
) -> None:
    assert needs_write(shown, now, seconds=seconds) is due


def test_figures_of_status_are_shown_until_newer_ones_exist() -> None:
    shown = ShownUsage()
    status = figures().fields()
    assert shown.of("uuid", status) == figures()
    assert shown.offer("uuid", status, usage(memory=3 * GIB), now=0)
    assert shown.of("uuid", status) == figures(memory=3 * GIB)


def test_restarted_operator_does_not_write_unchanged_figures() -> None:
    assert not ShownUsage().offer("uuid", figures().fields(), usage(cpu=None), now=0)


def test_unknown_cpu_keeps_the_shown_value() -> None:
    shown = ShownUsage()
    assert shown.offer("uuid", figures(cpu=70).fields(), usage(memory=3 * GIB, cpu=None), now=0)
    assert shown.of("uuid", {}) == figures(memory=3 * GIB, cpu=70)


def test_deleted_server_is_dropped() -> None:
    shown = ShownUsage()
    shown.offer("uuid", {}, usage(), now=0)
    shown.keep([])
    assert shown.of("uuid", {}) is None


def test_busy_server_is_written_at_most_twice_a_minute_and_stays_accurate() -> None:
    shown, chance, writes = ShownUsage(), random.Random(1), 0
    memory = GIB
    for second in range(0, 3600, 15):
        memory += chance.randrange(-GIB // 200, GIB // 200)
        writes += shown.offer(
            "uuid", {}, usage(memory, 4 * GIB, chance.uniform(0, 100)), now=second
        )
        now = shown.of("uuid", {})
        assert now is not None
        assert abs(now.memory - memory) <= 0.04 * memory
    assert writes <= 3600 / STATUS_WRITE_SECONDS + 1
