"""Usage of each server: sums over its pods, rates, and a maximum that never decreases."""

from __future__ import annotations

import dataclasses
import datetime
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from roadstead.api.usage import UsageSample
from roadstead.usage.readings import ContainerReading, LlamaReading

STALE_SECONDS: Final = 120.0
"""How long the last reading of a pod is used while its node does not respond."""
RATE_SECONDS: Final = 60.0
"""Window of the average of tokens per second: llama.cpp counts a response when it completes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PodSample:
    """The readings of one pod in one round."""

    uid: str
    process_id: str
    """Identifies the process of llama-server: a restart changes it."""
    started_after_operator: bool
    """Whether everything that the process counted is new to this operator."""
    containers: Mapping[str, ContainerReading] | None
    """By name; None if no source responded, empty if no container runs."""
    llama: LlamaReading | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Usage:
    """Usage of a server, summed over its pods.

    `cpu_percent` is None before the second reading; other fields are None if llama.cpp does not
    report them.
    """

    memory_bytes: int
    memory_max_bytes: int
    cpu_percent: float | None
    tokens_per_second: float | None = None
    requests_processing: int | None = None
    requests_deferred: int | None = None
    context_tokens_max: int | None = None
    prompt_tokens: float = 0.0
    """Since the operator started; so is `generated_tokens`."""
    generated_tokens: float = 0.0

    def sample(self, server_uuid: str, at: datetime.datetime) -> UsageSample | None:
        """The sample for the ledger; None while the CPU is unknown."""
        if self.cpu_percent is None:
            return None
        return UsageSample(
            server_uuid=server_uuid,
            sampled_at=at,
            memory_current_bytes=self.memory_bytes,
            memory_max_bytes=self.memory_max_bytes,
            cpu_usage_percent=self.cpu_percent,
            tokens_per_second=self.tokens_per_second,
            requests_processing=self.requests_processing,
            requests_deferred=self.requests_deferred,
        )


@dataclasses.dataclass(kw_only=True)
class _Container:
    reading: ContainerReading
    read_at: float
    percent: float | None


@dataclasses.dataclass(kw_only=True)
class _Pod:
    containers: dict[str, _Container] = dataclasses.field(default_factory=dict)
    process_id: str = ""
    counted: LlamaReading | None = None
    """The counters that this process last reported."""


@dataclasses.dataclass(kw_only=True)
class _Server:
    peak: int = 0
    pods: dict[str, _Pod] = dataclasses.field(default_factory=dict)
    prompt: float = 0.0
    generated: float = 0.0
    token_history: deque[tuple[float, float]] = dataclasses.field(default_factory=deque)
    """The time of each report of llama.cpp, and `generated` at that time."""


class UsageBook:
    """Records the samples of each round; `now` is Unix time in seconds."""

    def __init__(self) -> None:
        self._servers: dict[str, _Server] = {}

    def record(
        self, server_uuid: str, pods: Sequence[PodSample], *, known_max: int, now: float
    ) -> Usage | None:
        """Return the current usage of the server; None if it was not measured.

        `known_max` is the maximum in its status, which the new maximum is never below. A server
        without running containers uses nothing; if it never used anything, it is not measured.
        """
        server = self._servers.setdefault(server_uuid, _Server())
        samples = {sample.uid: sample for sample in pods}
        server.pods = {uid: server.pods.get(uid, _Pod()) for uid in samples}
        for uid, sample in samples.items():
            _update_containers(server.pods[uid], sample, now)
            _count_tokens(server, server.pods[uid], sample)
        server.peak = max(server.peak, known_max, _peak(server))
        unmeasured = any(sample.containers is None for sample in pods) or not server.peak
        if unmeasured and not any(pod.containers for pod in server.pods.values()):
            return None
        return _usage(server, samples.values(), now)

    def keep(self, server_uuids: Iterable[str]) -> None:
        """Drop all servers except these."""
        kept = set(server_uuids)
        self._servers = {uuid: one for uuid, one in self._servers.items() if uuid in kept}


def _update_containers(pod: _Pod, sample: PodSample, now: float) -> None:
    if sample.containers is None:
        fresh = {k: v for k, v in pod.containers.items() if now - v.read_at <= STALE_SECONDS}
        pod.containers = fresh
        return
    pod.containers = {
        name: _Container(
            reading=reading,
            read_at=now,
            percent=cpu_percent(pod.containers.get(name), reading, now),
        )
        for name, reading in sample.containers.items()
    }


def cpu_percent(before: _Container | None, reading: ContainerReading, now: float) -> float | None:
    """Return the percentage of one core between two readings; None if there is only one."""
    if reading.cpu_percent is not None or before is None or reading.cpu_seconds is None:
        return reading.cpu_percent
    if before.reading.cpu_seconds is None:
        return before.percent
    seconds = (reading.cpu_at or now) - (before.reading.cpu_at or before.read_at)
    if seconds <= 0:
        return before.percent  # The kubelet has no newer reading.
    used = counter_increase(before.reading.cpu_seconds, reading.cpu_seconds)
    return 100 * used / seconds


def counter_increase(before: float, after: float) -> float:
    """Return the increase of a counter; a counter that decreased was reset."""
    return after - before if after >= before else after


def _count_tokens(server: _Server, pod: _Pod, sample: PodSample) -> None:
    if sample.llama is None:
        return
    same_process = pod.process_id == sample.process_id
    before = pod.counted if same_process and pod.counted else LlamaReading()
    server.prompt += _new_tokens(before.prompt_tokens, sample.llama.prompt_tokens, sample)
    server.generated += _new_tokens(before.generated_tokens, sample.llama.generated_tokens, sample)
    pod.process_id, pod.counted = sample.process_id, sample.llama


def _new_tokens(before: float | None, after: float | None, sample: PodSample) -> float:
    """Return the increase; the whole count if the process started after the operator."""
    if after is None:
        return 0.0
    if before is None:
        return after if sample.started_after_operator else 0.0
    return counter_increase(before, after)


def _peak(server: _Server) -> int:
    """Return the sum of the containers' peaks: what they need if all peak at once."""
    readings = [item.reading for pod in server.pods.values() for item in pod.containers.values()]
    return sum(max(reading.memory_bytes, reading.peak_bytes or 0) for reading in readings)


def _usage(server: _Server, samples: Iterable[PodSample], now: float) -> Usage:
    containers = [item for pod in server.pods.values() for item in pod.containers.values()]
    percents = [item.percent for item in containers if item.percent is not None]
    llamas = [sample.llama for sample in samples if sample.llama is not None]
    longest = [int(one.context_tokens_max) for one in llamas if one.context_tokens_max is not None]
    return Usage(
        memory_bytes=sum(item.reading.memory_bytes for item in containers),
        memory_max_bytes=server.peak,
        cpu_percent=sum(percents) if percents or not containers else None,
        tokens_per_second=_token_rate(server, bool(llamas), now),
        requests_processing=_sum(one.requests_processing for one in llamas),
        requests_deferred=_sum(one.requests_deferred for one in llamas),
        context_tokens_max=max(longest, default=None),
        prompt_tokens=server.prompt,
        generated_tokens=server.generated,
    )


def _token_rate(server: _Server, reported: bool, now: float) -> float | None:
    """Return generated tokens per second since the earliest report within RATE_SECONDS."""
    history = server.token_history
    if reported:
        history.append((now, server.generated))
    while history and now - history[0][0] > RATE_SECONDS:
        history.popleft()
    if len(history) < 2:
        return None
    (first, before), (last, after) = history[0], history[-1]
    return (after - before) / (last - first) if last > first else None


def _sum(values: Iterable[float | None]) -> int | None:
    known = [value for value in values if value is not None]
    return round(sum(known)) if known else None
