"""Parsing of the kubelet's page: which containers are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.usage.cadvisor import CPU, WORKING_SET
from roadstead.usage.readings import ContainerReading
from tests.support.builders.metric_pages import AT, ID, POD, container, line, read


def test_memory_peak_and_cpu_are_read() -> None:
    found = read(container(1.27e8, 2.5e8, 12.5))
    assert found == {
        POD: {
            "llama-server": ContainerReading(
                memory_bytes=127_000_000,
                peak_bytes=250_000_000,
                cpu_seconds=12.5,
                cpu_at=float(AT),
            )
        }
    }


@given(st.integers(1, 200))
def test_chunk_size_does_not_change_readings(size: int) -> None:
    page = container(100, 200, 1)
    assert read(page, chunk=size) == read(page)


def test_peak_is_none_if_kernel_has_none() -> None:
    assert read(container(100, None, 1))[POD]["llama-server"].peak_bytes is None


def test_other_pods_pause_init_containers_and_pod_cgroup_are_ignored() -> None:
    page = (
        line(WORKING_SET, 1, pod=("demo", "other"))
        + line(WORKING_SET, 2, pod=("other", POD[1]))
        + line(WORKING_SET, 3, container="")
        + line(WORKING_SET, 4, container="POD")
        + line(WORKING_SET, 5, container="fetch")
    )
    assert read(page) == {}


def test_latest_measurement_of_replaced_container_is_used() -> None:
    old = container(900, 1000, 50, at=AT - 10, cgroup="/old")
    new = container(100, 200, 1, at=AT, cgroup="/new")
    for page in (old + new, new + old):
        assert read(page)[POD]["llama-server"].peak_bytes == 200


@pytest.mark.parametrize("cgroup", [f"/pod1/{ID}", f"/pod1.slice/cri-containerd-{ID}.scope"])
def test_container_without_labels_is_identified_by_id(cgroup: str) -> None:
    page = line(WORKING_SET, 100, container="", pod=("", ""), cgroup=cgroup)
    assert read(page)[POD]["llama-server"].memory_bytes == 100


def test_unlabelled_container_with_other_id_is_ignored() -> None:
    page = line(WORKING_SET, 100, container="", pod=("", ""), cgroup=f"/pod1/{'a' * 64}")
    assert read(page) == {}


def test_cpu_of_a_single_core_is_ignored() -> None:
    page = container(100, 200, 7) + line(CPU, 3, cgroup="/c1", cpu="cpu00")
    assert read(page)[POD]["llama-server"].cpu_seconds == 7


def test_container_measured_before_start_has_no_reading() -> None:
    assert read(container(0, 0, 0)) == {}


def test_cpu_without_memory_is_no_reading() -> None:
    assert read(line(CPU, 3, cpu="total")) == {}
