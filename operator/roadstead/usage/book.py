"""What is known of each server: sums over its pods, rates, and a maximum that only grows."""

from __future__ import annotations

import dataclasses
import datetime
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from roadstead.api.usage import UsageSample
from roadstead.usage.readings import ContainerReading, LlamaReading

STALE_SECONDS: Final = 120.0
"""How long a pod's last reading stands for it while its node can't be asked."""
RATE_SECONDS: Final = 60.0
"""Tokens a second are an average over so long: an answer's are all counted as it ends."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PodSample:
    """One pod in one round."""

    uid: str
    life: str
    """Names the process of llama-server: after a restart it is another one."""
    young: bool
    """It started after the operator did, so that all it has counted is new."""
    containers: Mapping[str, ContainerReading] | None
    """By name; None where nobody could be asked, empty where none was there."""
    llama: LlamaReading | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Usage:
    """What a server uses, all of its pods together.

    `cpu_percent` is None before there are two readings, the others where llama.cpp tells nothing.
    """

    memory_bytes: int
    memory_max_bytes: int
    cpu_percent: float | None
    tokens_per_second: float | None = None
    requests_processing: int | None = None
    requests_deferred: int | None = None
    context_tokens_max: int | None = None
    prompt_tokens: float = 0.0
    """Since the operator started, as `generated_tokens`."""
    generated_tokens: float = 0.0

    def sample(self, server_uuid: str, at: datetime.datetime) -> UsageSample | None:
        """As it is kept; None while the CPU is not known, rather than a zero that was none."""
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
    life: str = ""
    counted: LlamaReading | None = None
    """The counters as they were last told by this process."""


@dataclasses.dataclass(kw_only=True)
class _Server:
    peak: int = 0
    pods: dict[str, _Pod] = dataclasses.field(default_factory=dict)
    prompt: float = 0.0
    generated: float = 0.0
    told: deque[tuple[float, float]] = dataclasses.field(default_factory=deque)
    """When llama.cpp told something, and `generated` then."""


class UsageBook:
    """Takes each round's looks; `now` is Unix time in seconds throughout."""

    def __init__(self) -> None:
        self._servers: dict[str, _Server] = {}

    def take(
        self, server_uuid: str, pods: Sequence[PodSample], *, known_max: int, now: float
    ) -> Usage | None:
        """What the server uses now; None where that has not been measured.

        `known_max` is what its status has: the maximum goes on from there. A server without pods,
        or whose containers do not run, uses nothing; if it never did, it is not measured.
        """
        server = self._servers.setdefault(server_uuid, _Server())
        looks = {look.uid: look for look in pods}
        server.pods = {uid: server.pods.get(uid, _Pod()) for uid in looks}
        for uid, look in looks.items():
            _measure(server.pods[uid], look, now)
            _count(server, server.pods[uid], look)
        server.peak = max(server.peak, known_max, _peak(server))
        silent = any(look.containers is None for look in pods) or not server.peak
        if silent and not any(pod.containers for pod in server.pods.values()):
            return None
        return _usage(server, looks.values(), now)

    def keep(self, server_uuids: Iterable[str]) -> None:
        """Forget every server but these."""
        kept = set(server_uuids)
        self._servers = {uuid: one for uuid, one in self._servers.items() if uuid in kept}


def _measure(pod: _Pod, look: PodSample, now: float) -> None:
    if look.containers is None:
        fresh = {k: v for k, v in pod.containers.items() if now - v.read_at <= STALE_SECONDS}
        pod.containers = fresh
        return
    pod.containers = {
        name: _Container(
            reading=reading,
            read_at=now,
            percent=cpu_percent(pod.containers.get(name), reading, now),
        )
        for name, reading in look.containers.items()
    }


def cpu_percent(before: _Container | None, reading: ContainerReading, now: float) -> float | None:
    """Percent of one core between two readings; None where there is only one."""
    if reading.cpu_percent is not None or before is None or reading.cpu_seconds is None:
        return reading.cpu_percent
    if before.reading.cpu_seconds is None:
        return before.percent
    seconds = (reading.cpu_at or now) - (before.reading.cpu_at or before.read_at)
    if seconds <= 0:
        return before.percent  # The kubelet has not looked again since.
    used = grown(before.reading.cpu_seconds, reading.cpu_seconds)
    return 100 * used / seconds


def grown(before: float, after: float) -> float:
    """By how much a counter grew; one that shrank has begun anew."""
    return after - before if after >= before else after


def _count(server: _Server, pod: _Pod, look: PodSample) -> None:
    if look.llama is None:
        return
    before = pod.counted if pod.life == look.life and pod.counted else LlamaReading()
    server.prompt += _new(before.prompt_tokens, look.llama.prompt_tokens, look)
    server.generated += _new(before.generated_tokens, look.llama.generated_tokens, look)
    pod.life, pod.counted = look.life, look.llama


def _new(before: float | None, after: float | None, look: PodSample) -> float:
    """What was counted since; all of it, where its process began under our eyes."""
    if after is None:
        return 0.0
    if before is None:
        return after if look.young else 0.0
    return grown(before, after)


def _peak(server: _Server) -> int:
    """The sum of the containers' peaks: what they would need if all had theirs at once."""
    readings = [item.reading for pod in server.pods.values() for item in pod.containers.values()]
    return sum(max(reading.memory_bytes, reading.peak_bytes or 0) for reading in readings)


def _usage(server: _Server, looks: Iterable[PodSample], now: float) -> Usage:
    containers = [item for pod in server.pods.values() for item in pod.containers.values()]
    percents = [item.percent for item in containers if item.percent is not None]
    told = [look.llama for look in looks if look.llama is not None]
    longest = [int(one.context_tokens_max) for one in told if one.context_tokens_max is not None]
    return Usage(
        memory_bytes=sum(item.reading.memory_bytes for item in containers),
        memory_max_bytes=server.peak,
        cpu_percent=sum(percents) if percents or not containers else None,
        tokens_per_second=_rate(server, bool(told), now),
        requests_processing=_sum(one.requests_processing for one in told),
        requests_deferred=_sum(one.requests_deferred for one in told),
        context_tokens_max=max(longest, default=None),
        prompt_tokens=server.prompt,
        generated_tokens=server.generated,
    )


def _rate(server: _Server, told: bool, now: float) -> float | None:
    """Generated tokens a second since the earliest look within RATE_SECONDS."""
    if told:
        server.told.append((now, server.generated))
    while server.told and now - server.told[0][0] > RATE_SECONDS:
        server.told.popleft()
    if len(server.told) < 2:
        return None
    (first, before), (last, after) = server.told[0], server.told[-1]
    return (after - before) / (last - first) if last > first else None


def _sum(values: Iterable[float | None]) -> int | None:
    known = [value for value in values if value is not None]
    return round(sum(known)) if known else None
