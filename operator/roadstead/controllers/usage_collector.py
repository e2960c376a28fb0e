"""Usage once per interval: asked, kept in the book, shown in statuses and metrics, handed on."""

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
from roadstead.controllers.usage_nodes import Nodes
from roadstead.controllers.usage_rounds import Heard, Rounds
from roadstead.controllers.usage_targets import PodTarget, ServerTarget, targets
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.watch_cache import Name, WatchCache
from roadstead.usage import usage_metrics
from roadstead.usage.book import PodSample, UsageBook
from roadstead.usage.figures import ShownUsage
from roadstead.usage.server_metrics import LlamaServers
from roadstead.usage.usage_metrics import Labels, ServerMetrics

logger = logging.getLogger(__name__)

YIELD_EVERY: Final = 50
"""So many servers are worked out before other tasks have their turn."""


@dataclasses.dataclass(kw_only=True)
class Collector:
    """A loop until cancelled; whatever goes wrong in a round, the next one begins."""

    interval: float
    cache: WatchCache
    rounds: Rounds
    shown: ShownUsage
    wake: Callable[[Name], None]
    """Called for each server whose status is to show something else."""
    took: Sequence[UsageSink] = ()
    clock: Callable[[], float] = time.time
    _book: UsageBook = dataclasses.field(default_factory=UsageBook)
    _metrics: ServerMetrics = dataclasses.field(default_factory=ServerMetrics)
    _began: float = dataclasses.field(default_factory=time.time)

    async def run(self) -> None:
        """Once per interval, however long a round takes, with a pause of a fifth of it at least."""
        while True:
            started = time.monotonic()
            try:
                await self.collect()
            except Exception:
                logger.exception("usage could not be collected; it is tried again")
            spent = time.monotonic() - started
            await asyncio.sleep(max(self.interval / 5, self.interval - spent))

    async def collect(self) -> None:
        """One round."""
        found: list[ServerTarget] = []
        for place, server in enumerate(targets(self.cache)):
            if place % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            found.append(server)
        heard = await self.rounds.ask(found, seconds=self.interval)
        now = self.clock()
        samples: list[UsageSample] = []
        labels: list[Labels] = []
        for place, server in enumerate(found):
            if place % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            self._take(server, heard, now, samples, labels)
        self._book.keep(server.uuid for server in found)
        self.shown.keep(server.uuid for server in found)
        self._metrics.keep(labels)
        for told in self.took:
            self._hand(told, samples)
        if heard.asked or not any(server.pods for server in found):
            usage_metrics.LAST_SUCCESS.set(now)

    def _take(
        self,
        server: ServerTarget,
        heard: Heard,
        now: float,
        samples: list[UsageSample],
        labels: list[Labels],
    ) -> None:
        looks = [self._look(pod, heard) for pod in server.pods]
        usage = self._book.record(server.uuid, looks, known_max=server.known_max, now=now)
        if usage is None:
            return
        labels.append(server.labels)
        self._metrics.show(server.labels, usage, limit=server.memory_limit)
        sample = usage.sample(server.uuid, datetime.datetime.fromtimestamp(now, datetime.UTC))
        if sample is not None:
            samples.append(sample)
        if self.shown.offer(server.uuid, server.status, usage, now=now):
            self.wake(server.name)

    def _look(self, pod: PodTarget, heard: Heard) -> PodSample:
        return PodSample(
            uid=pod.uid,
            process_id=pod.life,
            started_after_operator=pod.started > self._began,
            containers=heard.readings.get(pod.name, {}) if pod.name in heard.asked else None,
            llama=heard.llama.get(pod.uid),
        )

    def _hand(self, told: UsageSink, samples: Sequence[UsageSample]) -> None:
        try:
            told(samples)
        except Exception:
            logger.exception("samples of usage were not taken")


async def collecting(
    client: KubeClient,
    cache: WatchCache,
    *,
    settings: OperatorSettings,
    shown: ShownUsage,
    wake: Callable[[Name], None],
    took: Sequence[UsageSink],
) -> None:
    """Measure until cancelled, by the operator's settings."""
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
            interval=settings.usage, cache=cache, rounds=rounds, shown=shown, wake=wake, took=took
        ).run()
    finally:
        await servers.close()


def _no_key(_: str) -> str:
    return ""
