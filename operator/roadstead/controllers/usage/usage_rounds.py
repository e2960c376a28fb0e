"""One round of measurement: from kubelets, from metrics.k8s.io for the rest, and from servers."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Final, Protocol

from roadstead.api.group import FIELD_MANAGER, LABEL_MANAGED_BY
from roadstead.api.llama.llama_flags import PORT
from roadstead.api.raw import Raw
from roadstead.clocks import Stopwatch
from roadstead.controllers.server_slots import ServerSlots
from roadstead.controllers.usage.usage_nodes import Nodes
from roadstead.controllers.usage.usage_targets import PodTarget, ServerTarget
from roadstead.errors import KubeError, UsageError
from roadstead.kube.kube_client import KubeCredentials, Page
from roadstead.kube.resources import PODMETRICS, Resource
from roadstead.usage import usage_metrics
from roadstead.usage.cadvisor import Readings
from roadstead.usage.kubelet import Identity, Kubelets
from roadstead.usage.podmetrics import parse_pod_metrics
from roadstead.usage.readings import LlamaReading, PodName, Wanted
from roadstead.usage.server_metrics import LlamaServers

logger = logging.getLogger(__name__)

KUBELETS_AT_ONCE: Final = 8
SERVERS_AT_ONCE: Final = 32
SLOW_SERVERS_AT_ONCE: Final = 32
PODS_OF_A_SERVER_AT_ONCE: Final = 4


class UsageClient(Protocol):
    """The methods of the API client that this module uses."""

    def list(
        self, resource: Resource, *, selector: str = "", namespace: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """Every object of a kind."""

    async def credentials(self) -> KubeCredentials:
        """The credentials of this process."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Heard:
    """The results of a round: a pod that is in `asked` but not in `readings` has no container."""

    asked: frozenset[PodName]
    readings: Readings
    llama: Mapping[str, LlamaReading]
    """By the pod's UID."""


@dataclasses.dataclass(kw_only=True)
class Rounds:
    """Measures within a deadline; failures are counted, and logged when they start or end."""

    client: UsageClient
    nodes: Nodes
    servers: LlamaServers
    key: Callable[[str], str]
    """A server's API key by its UUID; empty without a gateway."""
    ca_file: str
    """The authority of kubelets; empty: the API server's."""
    port: int = PORT
    """The port of llama-server in its pods."""
    clock: Stopwatch = time.monotonic
    slots: ServerSlots = dataclasses.field(
        default_factory=lambda: ServerSlots(at_once=SERVERS_AT_ONCE, slow=SLOW_SERVERS_AT_ONCE)
    )
    _listed: bool = True

    async def measure(self, servers: Iterable[ServerTarget], *, seconds: float) -> Heard:
        """Run one round; a request without an answer after `seconds` has failed."""
        found = list(servers)
        pods = [pod for server in found for pod in server.pods]
        llama = asyncio.create_task(self._llama(found, seconds))
        try:
            asked, readings = await self._containers(pods, seconds)
            return Heard(asked=asked, readings=readings, llama=await llama)
        finally:
            llama.cancel()

    async def _containers(
        self, pods: list[PodTarget], seconds: float
    ) -> tuple[frozenset[PodName], Readings]:
        by_node: dict[str, dict[PodName, Mapping[str, str]]] = {}
        for pod in pods:
            by_node.setdefault(pod.node, {})[pod.name] = pod.containers
        readings, good = await self._kubelets(by_node, seconds)
        asked = {name for node in good for name in by_node[node]}
        rest = {name: of for node in by_node.keys() - good for name, of in by_node[node].items()}
        if rest:
            found = await self._metrics_api(rest)
            asked |= found.keys()
            readings |= found
        return frozenset(asked), readings

    async def _kubelets(
        self, by_node: Mapping[str, Wanted], seconds: float
    ) -> tuple[Readings, set[str]]:
        now = self.clock()
        due = self.nodes.due(by_node, now)
        readings: Readings = {}
        failed: dict[str, UsageError] = {}
        slots = asyncio.Semaphore(KUBELETS_AT_ONCE)

        async def one(kubelets: Kubelets, node: str) -> None:
            async with slots:
                try:
                    with _counted("kubelet"):
                        if self.clock() - now > seconds:
                            raise UsageError("Timeout", "the round ended before the request")
                        endpoint = await self.nodes.endpoint(node, now)
                        readings.update(await kubelets.read(endpoint, by_node[node]))
                except UsageError as error:
                    failed[node] = error

        if due:
            try:
                async with (
                    Kubelets.opened(await self._identity()) as kubelets,
                    asyncio.TaskGroup() as group,
                ):
                    for node in due:
                        group.create_task(one(kubelets, node))
            except UsageError as error:
                failed = dict.fromkeys(due, error)
        good = set(due) - failed.keys()
        self.nodes.record(failed, good, now)
        return readings, good

    async def _identity(self) -> Identity:
        known = await self.client.credentials()
        return Identity(
            ca_file=self.ca_file or known.ca_file,
            authorization=known.authorization,
            cert_file=known.cert_file,
            key_file=known.key_file,
        )

    async def _metrics_api(self, wanted: Wanted) -> Readings:
        """The readings of pods that no kubelet reported, in one list; empty if not installed."""
        items: list[Raw] = []
        try:
            with _counted("metrics.k8s.io"):
                selector = f"{LABEL_MANAGED_BY}={FIELD_MANAGER}"
                async for page in self.client.list(PODMETRICS, selector=selector):
                    items += page.items
        except KubeError as error:
            if self._listed:
                logger.warning("cannot read usage from metrics.k8s.io either: %s", error)
            self._listed = False
            return {}
        self._listed = True
        return parse_pod_metrics(items, wanted)

    async def _llama(
        self, servers: Iterable[ServerTarget], seconds: float
    ) -> dict[str, LlamaReading]:
        """The readings of each ready pod's llama-server; failures are only counted."""
        readings: dict[str, LlamaReading] = {}

        async def one(pod: PodTarget, key: str, slots: asyncio.Semaphore) -> None:
            async with slots:
                with contextlib.suppress(UsageError, TimeoutError):
                    readings[pod.uid] = await self.slots.run(lambda: self._read(pod, key))

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for server in servers:
                    slots = asyncio.Semaphore(PODS_OF_A_SERVER_AT_ONCE)
                    for pod in server.pods:
                        if pod.address:
                            group.create_task(one(pod, self.key(server.uuid), slots))
        return readings

    async def _read(self, pod: PodTarget, key: str) -> LlamaReading:
        with _counted("llama"):
            return await self.servers.read(pod.address, self.port, key=key)


@contextlib.contextmanager
def _counted(source: str) -> Iterator[None]:
    """Count one request and measure its duration."""
    started = time.monotonic()
    result = "failed"
    try:
        yield
        result = "done"
    finally:
        usage_metrics.SCRAPES.labels(source, result).inc()
        usage_metrics.SCRAPE_SECONDS.labels(source).observe(time.monotonic() - started)
