"""Sums, rates and maximum of a server across restarts of its pods and of the operator."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.usage.book import (
    RATE_SECONDS,
    STALE_SECONDS,
    PodSample,
    Usage,
    UsageBook,
    counter_increase,
)
from roadstead.usage.readings import ContainerReading, LlamaReading

NOW = 1_800_000_000.0


def reading(memory: int = 100, peak: int | None = 150, cpu: float = 0.0) -> ContainerReading:
    return ContainerReading(memory_bytes=memory, peak_bytes=peak, cpu_seconds=cpu)


def sample_of(
    found: ContainerReading | None = None,
    *,
    uid: str = "pod-1",
    process_id: str = "c1",
    started_after_operator: bool = False,
    generated: float | None = None,
    **llama: float,
) -> PodSample:
    """A measured pod with one container."""
    llama_reading = (
        LlamaReading(generated_tokens=generated, **llama) if generated is not None else None
    )
    containers: Mapping[str, ContainerReading] = {"llama-server": found or reading()}
    return PodSample(
        uid=uid,
        process_id=process_id,
        started_after_operator=started_after_operator,
        containers=containers,
        llama=llama_reading,
    )


def unmeasured(uid: str = "pod-1") -> PodSample:
    return PodSample(
        uid=uid, process_id="c1", started_after_operator=False, containers=None, llama=None
    )


class Watched:
    """One server in a UsageBook."""

    def __init__(self) -> None:
        self.book = UsageBook()

    def try_record(self, *pods: PodSample, after: float = 0, known_max: int = 0) -> Usage | None:
        return self.book.record("server", pods, known_max=known_max, now=NOW + after)

    def record(self, *pods: PodSample, after: float = 0, known_max: int = 0) -> Usage:
        found = self.try_record(*pods, after=after, known_max=known_max)
        assert found is not None
        return found


@pytest.fixture
def server() -> Watched:
    return Watched()


def test_replicas_and_containers_are_summed(server: Watched) -> None:
    both = {"llama-server": reading(100, 150), "sidecar": reading(10, 20)}
    first = dataclasses.replace(sample_of(), containers=both)
    usage = server.record(first, sample_of(reading(200, 300), uid="pod-2"))
    assert (usage.memory_bytes, usage.memory_max_bytes) == (310, 470)


def test_maximum_survives_new_container_with_lower_peak(server: Watched) -> None:
    server.record(sample_of(reading(100, 900)))
    usage = server.record(sample_of(reading(50, 60), uid="pod-2"), after=15)
    assert (usage.memory_bytes, usage.memory_max_bytes) == (50, 900)


def test_maximum_continues_from_status_after_operator_restart(server: Watched) -> None:
    assert server.record(sample_of(), known_max=5000).memory_max_bytes == 5000


def test_maximum_without_peak_is_highest_reading(server: Watched) -> None:
    server.record(sample_of(reading(300, None)))
    assert server.record(sample_of(reading(100, None)), after=15).memory_max_bytes == 300


@given(st.lists(st.tuples(st.integers(0, 2**40), st.none() | st.integers(0, 2**40)), min_size=1))
def test_maximum_never_decreases_and_is_never_below_usage(
    readings: list[tuple[int, int | None]],
) -> None:
    server, before = Watched(), 0
    for turn, (memory, peak) in enumerate(readings):
        usage = server.record(sample_of(reading(memory, peak)), after=15 * turn)
        assert usage.memory_max_bytes >= max(before, usage.memory_bytes)
        before = usage.memory_max_bytes


def test_server_scaled_to_zero_uses_nothing_and_keeps_its_maximum(
    server: Watched,
) -> None:
    server.record(sample_of())
    usage = server.record(after=15)
    assert (usage.memory_bytes, usage.memory_max_bytes, usage.cpu_percent) == (0, 150, 0.0)


def test_server_that_never_ran_is_not_measured(server: Watched) -> None:
    assert server.try_record() is None


def test_pod_without_container_is_not_measured(server: Watched) -> None:
    assert server.try_record(dataclasses.replace(sample_of(), containers={})) is None


def test_server_with_terminated_container_uses_nothing(server: Watched) -> None:
    server.record(sample_of())
    usage = server.record(dataclasses.replace(sample_of(), containers={}), after=15)
    assert (usage.memory_bytes, usage.memory_max_bytes, usage.cpu_percent) == (0, 150, 0.0)


def test_last_reading_is_used_while_node_is_silent_until_stale(server: Watched) -> None:
    server.record(sample_of())
    assert server.record(unmeasured(), after=STALE_SECONDS).memory_bytes == 100
    assert server.try_record(unmeasured(), after=STALE_SECONDS + 1) is None


def test_container_that_is_gone_is_not_counted(server: Watched) -> None:
    server.record(sample_of(), sample_of(uid="pod-2"))
    gone = dataclasses.replace(sample_of(uid="pod-2"), containers={})
    assert server.record(sample_of(), gone, after=15).memory_bytes == 100


def test_cpu_is_known_from_the_second_reading(server: Watched) -> None:
    assert server.record(sample_of(reading(cpu=10))).cpu_percent is None
    assert server.record(sample_of(reading(cpu=17.5)), after=15).cpu_percent == 50


def test_cpu_uses_the_kubelets_timestamps(server: Watched) -> None:
    def at(cpu: float, seconds: float) -> PodSample:
        found = ContainerReading(memory_bytes=1, cpu_seconds=cpu, cpu_at=NOW + seconds)
        return sample_of(found)

    server.record(at(10, 0))
    assert server.record(at(20, 10), after=15).cpu_percent == 100
    # The kubelet has no newer reading: the last one is used.
    assert server.record(at(20, 10), after=30).cpu_percent == 100


def test_cpu_of_restarted_container_counts_from_zero(server: Watched) -> None:
    server.record(sample_of(reading(cpu=1000)))
    assert server.record(sample_of(reading(cpu=1.5)), after=15).cpu_percent == 10


def test_cpu_of_metrics_k8s_io_is_known_at_once_and_kept_until_kubelet_has_two_readings(
    server: Watched,
) -> None:
    percent = ContainerReading(memory_bytes=1, cpu_percent=40.0)
    assert server.record(sample_of(percent)).cpu_percent == 40
    assert server.record(sample_of(reading(cpu=5)), after=15).cpu_percent == 40


def test_there_is_no_sample_before_cpu_is_known(server: Watched) -> None:
    moment = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    assert server.record(sample_of(reading(cpu=0))).sample("server", moment) is None
    sample = server.record(sample_of(reading(cpu=15)), after=15).sample("server", moment)
    assert sample is not None
    assert (sample.server_uuid, sample.cpu_usage_percent) == ("server", 100)


def test_tokens_per_second_are_the_average_of_the_last_minute(server: Watched) -> None:
    assert server.record(sample_of(generated=1000)).tokens_per_second is None
    assert server.record(sample_of(generated=1150), after=15).tokens_per_second == 10
    assert server.record(sample_of(generated=1150), after=30).tokens_per_second == 5
    late = server.record(sample_of(generated=1150), after=30 + RATE_SECONDS)
    assert late.tokens_per_second == 0


def test_tokens_generated_before_operator_start_are_not_counted(server: Watched) -> None:
    assert server.record(sample_of(generated=1000)).generated_tokens == 0
    assert server.record(sample_of(generated=1010), after=15).generated_tokens == 10


def test_all_tokens_of_pod_started_after_operator_are_counted(server: Watched) -> None:
    assert (
        server.record(sample_of(generated=30, started_after_operator=True)).generated_tokens == 30
    )


def test_token_count_continues_across_process_restart(server: Watched) -> None:
    server.record(sample_of(generated=1000))
    server.record(sample_of(generated=1100), after=15)
    usage = server.record(
        sample_of(generated=20, process_id="c2", started_after_operator=True), after=30
    )
    assert usage.generated_tokens == 120
    # The watch may report the restart after the counters show it.
    assert (
        server.record(
            sample_of(generated=5, process_id="c2", started_after_operator=True), after=45
        ).generated_tokens
        == 125
    )


def test_requests_are_summed_and_longest_context_is_reported(
    server: Watched,
) -> None:
    def pod(uid: str, processing: float, longest: float) -> PodSample:
        return sample_of(
            uid=uid,
            generated=0,
            requests_processing=processing,
            requests_deferred=1,
            context_tokens_max=longest,
        )

    usage = server.record(pod("pod-1", 1, 500), pod("pod-2", 2, 400), sample_of(uid="pod-3"))
    assert (usage.requests_processing, usage.requests_deferred) == (3, 2)
    assert usage.context_tokens_max == 500


def test_values_missing_from_llama_are_none(server: Watched) -> None:
    usage = server.record(sample_of())
    assert (usage.requests_processing, usage.context_tokens_max) == (None, None)
    assert usage.tokens_per_second is None


def test_deleted_server_is_dropped(server: Watched) -> None:
    server.record(sample_of(reading(100, 900)))
    server.book.keep([])
    assert server.record(sample_of()).memory_max_bytes == 150


@given(st.lists(st.floats(0, 1e9), min_size=2))
def test_counter_increase_is_never_negative(values: list[float]) -> None:
    assert all(counter_increase(before, after) >= 0 for before, after in itertools.pairwise(values))
