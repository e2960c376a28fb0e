"""What runs while this replica leads: the queues, their resync, the ledger and the measurements."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Coroutine, Iterator
from functools import partial
from typing import Any, Final

from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.controllers.service_route import ServiceRoute
from roadstead.controllers.usage.usage_collector import collecting
from roadstead.errors import KubeError, KubeRejected
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import MODELSERVES
from roadstead.manifests.service_routes import console_route, ping_route
from roadstead.process.components import Components
from roadstead.process.leadership import Leadership
from roadstead.process.lifetime import cancel_all, forever
from roadstead.watching.watched_kinds import WATCHED

logger = logging.getLogger(__name__)

ADOPT_RETRY_SECONDS: Final = 2.0
"""The delay before another search for running transfers after it failed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeaderTasks:
    """The tasks of the leader, over the components of its process."""

    components: Components
    settings: OperatorSettings
    client: KubeClient
    leadership: Leadership

    async def run(self) -> None:
        """Run the queues from when this replica leads until cancelled.

        On cancellation the queues stop first, then transfers, which keep their uploads, while the
        ledger's outbox is written.
        """
        await self.leadership.acquired.wait()
        for resource in WATCHED:
            for raw in self.components.cache.all(resource):
                self.components.dispatch.record(resource, raw)
        self.components.dispatch.collect_orphans()
        await self._adopt()
        if self.components.receipt_keys is not None:
            # Read first, since without keys every server counts.
            await self.components.receipt_keys.verifier()
        works = [
            queue.run() for queue in (*self.components.queues.values(), self.components.orphans)
        ]
        works += [self._resync(), *self._collecting()]
        works.extend(route.run() for route in self._service_routes())
        if self.components.reach is not None:
            works.append(self.components.reach.run())
        if self.components.pulls is not None:
            works.append(self.components.pulls.run())
        working = asyncio.gather(*works)
        ledger = asyncio.ensure_future(
            self.components.ledger.run() if self.components.ledger else forever()
        )
        try:
            await asyncio.wait((working, ledger), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_all([working])
            ledger.cancel()
            await self.components.transfers.stop_all()
            await cancel_all([ledger])
            if self.components.routes is not None:
                await self.components.routes.close()

    async def _adopt(self) -> None:
        """Adopt running transfers before new ones start, since they count as running."""
        while True:
            try:
                await self.components.transfers.adopt()
                return
            except KubeRejected as error:
                # Not retried: starting a transfer that already runs finds it.
                logger.warning("not allowed to list running transfers: %s", error)
                return
            except KubeError as error:
                logger.warning("cannot list running transfers: %s", error)
                await asyncio.sleep(ADOPT_RETRY_SECONDS)

    def _collecting(self) -> Iterator[Coroutine[Any, Any, None]]:
        """The measurement of usage, if it is enabled."""
        if self.components.shown is not None:
            yield collecting(
                self.client,
                self.components.cache,
                settings=self.settings,
                shown=self.components.shown,
                wake=self.components.queues[MODELSERVES].put,
                sinks=() if self.components.feed is None else (self.components.feed.add_samples,),
            )

    def _service_routes(self) -> Iterator[ServiceRoute]:
        """The routes of the console and of the embedded gateway, as far as they are installed."""
        gateway = self.settings.gateway
        if gateway is None:
            return
        console = partial(console_route, routing=gateway.routing)
        for service, render in ((gateway.console, console), (gateway.service, ping_route)):
            if service:
                yield ServiceRoute(
                    self.client, render, service=service, namespace=self.settings.namespace
                )

    async def _resync(self) -> None:
        """Queue every object periodically, spread over a minute or the interval."""
        while True:
            await asyncio.sleep(self.settings.resync)
            await self.components.watched.relist_all()
            spread = min(60.0, self.settings.resync)
            for resource, queue in self.components.queues.items():
                names = self.components.cache.names(resource)
                for place, name in enumerate(names):
                    queue.put(name, delay=spread * place / len(names))
