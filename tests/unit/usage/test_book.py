"""Sums, rates and the maximum of a server, over restarts of its pods and of the operator."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.usage.book import RATE_SECONDS, STALE_SECONDS, PodSample, Usage, UsageBook, grown
from roadstead.usage.readings import ContainerReading, LlamaReading

NOW = 1_800_000_000.0


def reading(memory: int = 100, peak: int | None = 150, cpu: float = 0.0) -> ContainerReading:
    return ContainerReading(memory_bytes=memory, peak_bytes=peak, cpu_seconds=cpu)


def look(
    found: ContainerReading | None = None,
    *,
    uid: str = "pod-1",
    life: str = "c1",
    young: bool = False,
    generated: float | None = None,
    **llama: float,
) -> PodSample:
    """A pod of one container that was measured."""
    told = LlamaReading(generated_tokens=generated, **llama) if generated is not None else None
    containers: Mapping[str, ContainerReading] = {"llama-server": found or reading()}
    return PodSample(uid=uid, life=life, young=young, containers=containers, llama=told)


def unasked(uid: str = "pod-1") -> PodSample:
    return PodSample(uid=uid, life="c1", young=False, containers=None, llama=None)


class Watched:
    """One server in a book."""

    def __init__(self) -> None:
        self.book = UsageBook()

    def takes(self, *pods: PodSample, after: float = 0, known_max: int = 0) -> Usage | None:
        return self.book.take("server", pods, known_max=known_max, now=NOW + after)

    def told(self, *pods: PodSample, after: float = 0, known_max: int = 0) -> Usage:
        found = self.takes(*pods, after=after, known_max=known_max)
        assert found is not None
        return found


@pytest.fixture
def server() -> Watched:
    return Watched()


def test_replicas_and_containers_are_summed(server: Watched) -> None:
    both = {"llama-server": reading(100, 150), "sidecar": reading(10, 20)}
    first = dataclasses.replace(look(), containers=both)
    usage = server.told(first, look(reading(200, 300), uid="pod-2"))
    assert (usage.memory_bytes, usage.memory_max_bytes) == (310, 470)


def test_the_maximum_survives_a_new_container_whose_peak_starts_at_nothing(server: Watched) -> None:
    server.told(look(reading(100, 900)))
    usage = server.told(look(reading(50, 60), uid="pod-2"), after=15)
    assert (usage.memory_bytes, usage.memory_max_bytes) == (50, 900)


def test_the_maximum_goes_on_from_the_status_after_the_operator_was_away(server: Watched) -> None:
    assert server.told(look(), known_max=5000).memory_max_bytes == 5000


def test_without_a_peak_the_maximum_is_of_what_was_seen(server: Watched) -> None:
    server.told(look(reading(300, None)))
    assert server.told(look(reading(100, None)), after=15).memory_max_bytes == 300


@given(st.lists(st.tuples(st.integers(0, 2**40), st.none() | st.integers(0, 2**40)), min_size=1))
def test_the_maximum_never_falls_and_is_never_less_than_what_is_used(
    readings: list[tuple[int, int | None]],
) -> None:
    server, before = Watched(), 0
    for turn, (memory, peak) in enumerate(readings):
        usage = server.told(look(reading(memory, peak)), after=15 * turn)
        assert usage.memory_max_bytes >= max(before, usage.memory_bytes)
        before = usage.memory_max_bytes


def test_a_server_that_is_scaled_to_zero_uses_nothing_and_keeps_its_maximum(
    server: Watched,
) -> None:
    server.told(look())
    usage = server.told(after=15)
    assert (usage.memory_bytes, usage.memory_max_bytes, usage.cpu_percent) == (0, 150, 0.0)


def test_a_server_that_never_ran_is_not_measured(server: Watched) -> None:
    assert server.takes() is None


def test_a_pod_whose_container_is_not_there_yet_is_not_measured(server: Watched) -> None:
    assert server.takes(dataclasses.replace(look(), containers={})) is None


def test_a_server_whose_container_has_ended_uses_nothing_until_the_next(server: Watched) -> None:
    server.told(look())
    usage = server.told(dataclasses.replace(look(), containers={}), after=15)
    assert (usage.memory_bytes, usage.memory_max_bytes, usage.cpu_percent) == (0, 150, 0.0)


def test_a_pod_whose_node_is_silent_counts_as_before_for_a_while(server: Watched) -> None:
    server.told(look())
    assert server.told(unasked(), after=STALE_SECONDS).memory_bytes == 100
    assert server.takes(unasked(), after=STALE_SECONDS + 1) is None


def test_a_container_that_is_gone_from_its_node_counts_no_more(server: Watched) -> None:
    server.told(look(), look(uid="pod-2"))
    gone = dataclasses.replace(look(uid="pod-2"), containers={})
    assert server.told(look(), gone, after=15).memory_bytes == 100


def test_cpu_is_known_from_the_second_reading_on(server: Watched) -> None:
    assert server.told(look(reading(cpu=10))).cpu_percent is None
    assert server.told(look(reading(cpu=17.5)), after=15).cpu_percent == 50


def test_cpu_is_by_the_kubelets_own_clock(server: Watched) -> None:
    def at(cpu: float, seconds: float) -> PodSample:
        found = ContainerReading(memory_bytes=1, cpu_seconds=cpu, cpu_at=NOW + seconds)
        return look(found)

    server.told(at(10, 0))
    assert server.told(at(20, 10), after=15).cpu_percent == 100
    # The kubelet has not looked again: what it said last still holds.
    assert server.told(at(20, 10), after=30).cpu_percent == 100


def test_cpu_of_a_container_that_began_anew_is_what_it_used_since(server: Watched) -> None:
    server.told(look(reading(cpu=1000)))
    assert server.told(look(reading(cpu=1.5)), after=15).cpu_percent == 10


def test_cpu_by_metrics_k8s_io_is_known_at_once_and_stays_when_the_kubelet_is_back(
    server: Watched,
) -> None:
    percent = ContainerReading(memory_bytes=1, cpu_percent=40.0)
    assert server.told(look(percent)).cpu_percent == 40
    assert server.told(look(reading(cpu=5)), after=15).cpu_percent == 40


def test_a_sample_waits_until_the_cpu_is_known(server: Watched) -> None:
    moment = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    assert server.told(look(reading(cpu=0))).sample("server", moment) is None
    sample = server.told(look(reading(cpu=15)), after=15).sample("server", moment)
    assert sample is not None
    assert (sample.server_uuid, sample.cpu_usage_percent) == ("server", 100)


def test_tokens_a_second_are_the_average_of_the_last_minute(server: Watched) -> None:
    assert server.told(look(generated=1000)).tokens_per_second is None
    assert server.told(look(generated=1150), after=15).tokens_per_second == 10
    assert server.told(look(generated=1150), after=30).tokens_per_second == 5
    late = server.told(look(generated=1150), after=30 + RATE_SECONDS)
    assert late.tokens_per_second == 0


def test_what_was_generated_before_the_operator_came_is_not_counted(server: Watched) -> None:
    assert server.told(look(generated=1000)).generated_tokens == 0
    assert server.told(look(generated=1010), after=15).generated_tokens == 10


def test_what_a_pod_generated_that_came_since_is_counted(server: Watched) -> None:
    assert server.told(look(generated=30, young=True)).generated_tokens == 30


def test_tokens_go_on_through_a_restart_of_the_process(server: Watched) -> None:
    server.told(look(generated=1000))
    server.told(look(generated=1100), after=15)
    usage = server.told(look(generated=20, life="c2", young=True), after=30)
    assert usage.generated_tokens == 120
    # The watch may tell of the restart after the counters did.
    assert server.told(look(generated=5, life="c2", young=True), after=45).generated_tokens == 125


def test_requests_of_all_replicas_are_summed_and_the_longest_context_is_told(
    server: Watched,
) -> None:
    def pod(uid: str, processing: float, longest: float) -> PodSample:
        return look(
            uid=uid,
            generated=0,
            requests_processing=processing,
            requests_deferred=1,
            context_tokens_max=longest,
        )

    usage = server.told(pod("pod-1", 1, 500), pod("pod-2", 2, 400), look(uid="pod-3"))
    assert (usage.requests_processing, usage.requests_deferred) == (3, 2)
    assert usage.context_tokens_max == 500


def test_what_llama_does_not_tell_is_not_zero(server: Watched) -> None:
    usage = server.told(look())
    assert (usage.requests_processing, usage.context_tokens_max) == (None, None)
    assert usage.tokens_per_second is None


def test_a_server_that_is_gone_is_forgotten(server: Watched) -> None:
    server.told(look(reading(100, 900)))
    server.book.keep([])
    assert server.told(look()).memory_max_bytes == 150


@given(st.lists(st.floats(0, 1e9), min_size=2))
def test_a_counter_only_ever_adds(values: list[float]) -> None:
    assert all(grown(before, after) >= 0 for before, after in itertools.pairwise(values))
