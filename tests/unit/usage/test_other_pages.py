"""llama.cpp's page, and the objects of metrics.k8s.io."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.usage.llama import parse_llama
from roadstead.usage.podmetrics import readings_of
from roadstead.usage.readings import ContainerReading, LlamaReading
from tests.support.builders.metric_pages import LLAMA, POD, WANTED


def pod_metrics(memory: str, cpu: str, *, container: str = "llama-server") -> dict[str, Any]:
    usage = {"memory": memory, "cpu": cpu}
    return {
        "metadata": {"namespace": POD[0], "name": POD[1]},
        "containers": [{"name": container, "usage": usage}],
    }


def test_counters_and_the_moments_requests_are_read_of_llama() -> None:
    assert parse_llama(LLAMA) == LlamaReading(
        prompt_tokens=23,
        generated_tokens=1_234_570,
        requests_processing=1,
        requests_deferred=3,
        context_tokens_max=36,
    )


@given(st.binary(max_size=200))
def test_another_builds_page_or_none_at_all_leaves_all_open(page: bytes) -> None:
    assert parse_llama(b"# " + page.replace(b"\n", b" ")) == LlamaReading()


def test_pod_metrics_have_memory_and_percent_and_no_peak() -> None:
    found = readings_of([pod_metrics("124288Ki", "250000000n")], WANTED)
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
def test_what_makes_no_sense_is_passed_over(item: dict[str, Any]) -> None:
    assert readings_of([item], WANTED) == {}


def test_cpu_that_makes_no_sense_leaves_the_memory() -> None:
    found = readings_of([pod_metrics("1Ki", "fast")], WANTED)
    assert found[POD]["llama-server"] == ContainerReading(memory_bytes=1024)
