"""Parsing of llama.cpp's page and of PodMetrics objects."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.usage.podmetrics import parse_pod_metrics
from roadstead.usage.readings import ContainerReading, LlamaReading
from roadstead.usage.server_metrics import parse_llama
from tests.support.builders.metric_pages import LLAMA, POD, WANTED


def pod_metrics(memory: str, cpu: str, *, container: str = "llama-server") -> dict[str, Any]:
    usage = {"memory": memory, "cpu": cpu}
    return {
        "metadata": {"namespace": POD[0], "name": POD[1]},
        "containers": [{"name": container, "usage": usage}],
    }


def test_counters_and_current_requests_of_llama_are_read() -> None:
    assert parse_llama(LLAMA) == LlamaReading(
        prompt_tokens=23,
        generated_tokens=1_234_570,
        requests_processing=1,
        requests_deferred=3,
        context_tokens_max=36,
    )


@given(st.binary(max_size=200))
def test_unknown_page_has_only_missing_values(page: bytes) -> None:
    assert parse_llama(b"# " + page.replace(b"\n", b" ")) == LlamaReading()


def test_pod_metrics_have_memory_and_cpu_percent_without_peak() -> None:
    found = parse_pod_metrics([pod_metrics("124288Ki", "250000000n")], WANTED)
    assert found[POD]["llama-server"] == ContainerReading(
        memory_bytes=124288 * 1024, cpu_percent=25.0
    )


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(pod_metrics("many", "1"), id="memory"),
        pytest.param(pod_metrics("-1Ki", "1"), id="negative"),
        pytest.param(pod_metrics("1Ki", "1", container="sidecar"), id="not-wanted"),
        pytest.param({"metadata": {"namespace": POD[0], "name": POD[1]}}, id="no-containers"),
        pytest.param({}, id="nothing"),
    ],
)
def test_invalid_pod_metrics_are_ignored(item: dict[str, Any]) -> None:
    assert parse_pod_metrics([item], WANTED) == {}


def test_invalid_cpu_keeps_the_memory() -> None:
    found = parse_pod_metrics([pod_metrics("1Ki", "fast")], WANTED)
    assert found[POD]["llama-server"] == ContainerReading(memory_bytes=1024)
