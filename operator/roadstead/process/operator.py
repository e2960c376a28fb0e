"""The operator: standby and leader, from its start until SIGTERM."""

from __future__ import annotations

import asyncio
import logging

import kopf

from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.kube.kube_client import KubeClient
from roadstead.process.components import Components
from roadstead.process.gc_freeze import GcFreeze
from roadstead.process.health import Health, LoopLag
from roadstead.process.leader_tasks import LeaderTasks
from roadstead.process.leadership import Leadership, leadership
from roadstead.process.lifetime import (
    cancel_all,
    done_before,
    on_continued,
    on_signals,
    once_set,
)
from roadstead.process.probes import operator_probes, serving
from roadstead.watching.watched_kinds import ROUTED, WATCHED
from roadstead.watching.watches import registry
from roadstead.watching.watches import settings as kopf_settings

logger = logging.getLogger(__name__)


class Operator:
    """The life of one process: it synchronizes its caches, watches, and leads if it may."""

    def __init__(
        self, settings: OperatorSettings, client: KubeClient, leadership: Leadership | None = None
    ) -> None:
        self._settings = settings
        self._leadership = leadership or Leadership.without_election()
        self.components = Components(settings, client, self._leadership)
        self._tasks = LeaderTasks(
            components=self.components,
            settings=settings,
            client=client,
            leadership=self._leadership,
        )
        self._lag = LoopLag()
        self._synced = False

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Run as standby and leader until SIGTERM, SIGINT or `stop`.

        Raises LeaseLost, and ClusterRestored if etcd was restored: caches and work in progress are
        based on a state that no longer exists.
        """
        try:
            await self._run(stop)
        finally:
            if self.components.probe is not None:
                await self.components.probe.close()

    async def _run(self, stop: asyncio.Event | None) -> None:
        """Serve probes, synchronize the caches, then lead or wait for the Lease.

        The caches are synced before this replica becomes a candidate, so that it can work at once.
        """
        host, port = self._settings.http_host, self._settings.http_port
        signalled = stop is None
        stop = stop or asyncio.Event()
        if signalled:
            on_signals(stop)
            on_continued(self._leadership.loss_reason)
        health = Health(
            queues=(*self.components.queues.values(), self.components.orphans),
            lag=self._lag,
            watches=self.components.watched,
            leadership=self._leadership,
        )
        probes = operator_probes(healthy=health.check, ready=self._check_ready, leads=self._leads)
        async with serving(probes, host, port):
            freezing = asyncio.create_task(GcFreeze(self.components.cache.__len__).run())
            if not await done_before(stop, self.components.watched.fill()):
                return
            self._synced = True
            logger.info("the operator is ready")
            works = (
                self._leadership.run(),
                self._lag.measure(),
                self._tasks.run(),
                self.components.watched.until_restored(),
            )
            tasks = [asyncio.create_task(work) for work in works] + [freezing]
            for task in tasks:
                # None of them should end: the process exits rather than running without it.
                task.add_done_callback(lambda _: stop.set())
            election, *others = tasks
            try:
                await self._watch(stop, others, signalled=signalled)
            finally:
                await self._release_lease(election)
        logger.info("the operator has stopped")

    async def _release_lease(self, election: asyncio.Task[None]) -> None:
        """Release the Lease after the last write; raises LeaseLost."""
        try:
            await cancel_all([election])
        finally:
            await self._leadership.release()

    async def _watch(
        self, stop: asyncio.Event, tasks: list[asyncio.Task[None]], *, signalled: bool
    ) -> None:
        """Run kopf's watches until `stop`, or until kopf exits, which is an error.

        kopf is cancelled, not stopped: it would wait 5 s for every task that was created while it
        ran, including ours, and then cancel them. Our `tasks` are cancelled before.
        """
        handlers = registry(
            self.components.watched,
            [*WATCHED, *(ROUTED if self._settings.gateway else ())],
            kubeconfig=self._settings.kubeconfig,
        )
        started = asyncio.Event()
        running = kopf.operator(
            registry=handlers,
            settings=kopf_settings(),
            clusterwide=True,
            standalone=True,
            ready_flag=started,
        )
        watching = asyncio.create_task(running)
        watching.add_done_callback(lambda _: stop.set())
        try:
            await done_before(stop, once_set(started))
            self.components.watched.expect(WATCHED)
            if signalled:
                on_signals(stop)  # kopf has replaced the handlers.
            await stop.wait()
        finally:
            try:
                await cancel_all(tasks)
            finally:
                await cancel_all([watching])

    def _leads(self) -> bool:
        return self._leadership.acquired.is_set()

    def _check_ready(self) -> str:
        return "" if self._synced else "waiting for the API server"


async def run(settings: OperatorSettings) -> None:
    """`roadstead operator`: connect and run until SIGTERM; raises LeaseLost, ClusterRestored."""
    async with leadership(settings) as part:
        client = await KubeClient.connect(settings.kubeconfig or None, fence=part.fence)
        try:
            await Operator(settings, client, part).run()
        finally:
            await client.close()
