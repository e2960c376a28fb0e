"""Collects usage once per interval, for statuses, metrics and the ledger."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from roadstead.api.usage import UsageSample, UsageSink
from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.controllers.usage.usage_nodes import Nodes
from roadstead.controllers.usage.usage_rounds import Heard, Rounds
from roadstead.controllers.usage.usage_targets import PodTarget, ServerTarget, targets
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.watch_cache import Name, WatchCache
from roadstead.usage import usage_metrics
from roadstead.usage.book import PodSample, UsageBook
from roadstead.usage.figures import ShownUsage
from roadstead.usage.server_metrics import LlamaServers
from roadstead.usage.usage_metrics import Labels, ServerMetrics

logger = logging.getLogger(__name__)

YIELD_EVERY: Final = 50
"""The number of servers that are processed before other tasks may run."""


@dataclasses.dataclass(kw_only=True)
class Collector:
    """Measures in rounds until cancelled; an error ends one round only."""

    interval: float
    cache: WatchCache
    rounds: Rounds
    shown: ShownUsage
    wake: Callable[[Name], None]
    """Called for each server whose status must change."""
    sinks: Sequence[UsageSink] = ()
    clock: Callable[[], float] = time.time
    _book: UsageBook = dataclasses.field(default_factory=UsageBook)
    _metrics: ServerMetrics = dataclasses.field(default_factory=ServerMetrics)
    _started: float = dataclasses.field(default_factory=time.time)

    async def run(self) -> None:
        """Measure once per interval, with a pause of at least a fifth of it after each round."""
        while True:
            started = time.monotonic()
            try:
                await self.collect()
            except Exception:
                logger.exception("collecting usage failed; retrying in the next round")
            spent = time.monotonic() - started
            await asyncio.sleep(max(self.interval / 5, self.interval - spent))

    async def collect(self) -> None:
        """Measure once."""
        found: list[ServerTarget] = []
        for place, server in enumerate(targets(self.cache)):
            if place % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            found.append(server)
        heard = await self.rounds.measure(found, seconds=self.interval)
        now = self.clock()
        samples: list[UsageSample] = []
        labels: list[Labels] = []
        for place, server in enumerate(found):
            if place % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            self._add(server, heard, now, samples, labels)
        self._book.keep(server.uuid for server in found)
        self.shown.keep(server.uuid for server in found)
        self._metrics.keep(labels)
        for sink in self.sinks:
            self._send(sink, samples)
        if heard.asked or not any(server.pods for server in found):
            usage_metrics.LAST_SUCCESS.set(now)

    def _add(
        self,
        server: ServerTarget,
        heard: Heard,
        now: float,
        samples: list[UsageSample],
        labels: list[Labels],
    ) -> None:
        pod_samples = [self._sample(pod, heard) for pod in server.pods]
        usage = self._book.record(server.uuid, pod_samples, known_max=server.known_max, now=now)
        if usage is None:
            return
        labels.append(server.labels)
        self._metrics.show(server.labels, usage, limit=server.memory_limit)
        sample = usage.sample(server.uuid, datetime.datetime.fromtimestamp(now, datetime.UTC))
        if sample is not None:
            samples.append(sample)
        if self.shown.offer(server.uuid, server.status, usage, now=now):
            self.wake(server.name)

    def _sample(self, pod: PodTarget, heard: Heard) -> PodSample:
        return PodSample(
            uid=pod.uid,
            process_id=pod.life,
            started_after_operator=pod.started > self._started,
            containers=heard.readings.get(pod.name, {}) if pod.name in heard.asked else None,
            llama=heard.llama.get(pod.uid),
        )

    def _send(self, sink: UsageSink, samples: Sequence[UsageSample]) -> None:
        try:
            sink(samples)
        except Exception:
            logger.exception("recording usage samples failed")


async def collecting(
    client: KubeClient,
    cache: WatchCache,
    *,
    settings: OperatorSettings,
    shown: ShownUsage,
    wake: Callable[[Name], None],
    sinks: Sequence[UsageSink],
) -> None:
    """Measure until cancelled, with the operator's settings."""
    gateway = settings.gateway
    key = gateway.key().server_key if gateway is not None else _no_key
    servers = LlamaServers.open()
    try:
        rounds = Rounds(
            client=client,
            nodes=Nodes(client, interval=settings.usage),
            servers=servers,
            key=key,
            ca_file=settings.kubelet_ca_file,
        )
        await Collector(
            interval=settings.usage, cache=cache, rounds=rounds, shown=shown, wake=wake, sinks=sinks
        ).run()
    finally:
        await servers.close()


def _no_key(_: str) -> str:
    return ""
