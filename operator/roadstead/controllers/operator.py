"""The operator as a whole: what is made of the settings, and what runs until SIGTERM."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Coroutine, Iterator
from typing import Any, Final

import kopf

from roadstead.api.model import Model
from roadstead.api.raw import Raw, section
from roadstead.api.references import serve_references
from roadstead.controllers import parts
from roadstead.controllers.catalogue import Catalogue
from roadstead.controllers.console_route import ConsoleRoute
from roadstead.controllers.contract import ContractReconciler
from roadstead.controllers.contract_usage import ContractUsage
from roadstead.controllers.exposition import Exposition
from roadstead.controllers.fetch_urls import FetchUrls
from roadstead.controllers.freezing import Freezing
from roadstead.controllers.hearing import Hearing
from roadstead.controllers.lag import LoopLag
from roadstead.controllers.leadership import Leadership, leadership
from roadstead.controllers.lifetime import (
    cancelled,
    done_before,
    forever,
    on_continued,
    on_signals,
    once_set,
)
from roadstead.controllers.listing import Listing
from roadstead.controllers.model import ModelReconciler
from roadstead.controllers.model_sources import Sources
from roadstead.controllers.modelserve import ServeReconciler
from roadstead.controllers.probes import serving
from roadstead.controllers.queue import WorkQueue
from roadstead.controllers.settings import OperatorSettings
from roadstead.controllers.status_writer import StatusWriter
from roadstead.controllers.transfer_pods import pods_of
from roadstead.controllers.transfers import Transfers
from roadstead.controllers.usage_collector import collecting
from roadstead.controllers.wakeups import ModelNews, Wakeup, wakeups
from roadstead.controllers.watches import ROUTED, WATCHED, registry
from roadstead.controllers.watches import settings as kopf_settings
from roadstead.errors import KubeError, KubeRejected
from roadstead.kube.cache import Name, WatchCache
from roadstead.kube.children import Children
from roadstead.kube.client import KubeClient
from roadstead.kube.events import EventRecorder
from roadstead.kube.resources import MODELS, MODELSERVES, PODS, RESOURCECONTRACTS, Resource
from roadstead.store.client import MinioStore
from roadstead.usage.figures import ShownUsage

logger = logging.getLogger(__name__)

WORKERS: Final = 16
RECOUNT_SECONDS: Final = 1.0
"""How long changes of servers are gathered before their contract's status is written: the webhooks
write it too, and each write of ours makes one of theirs try again."""
COUNT_SECONDS: Final = 1.0
"""A Model counts its servers so much later: a burst of them is one write, not one for each."""
STUCK_SECONDS: Final = 300.0
LAG_SECONDS: Final = 5.0
ADOPT_SECONDS: Final = 2.0
"""How long it takes until transfers that run are looked for again where that failed."""
SILENCE_SECONDS: Final = 150.0
"""kopf gives a watch up after 70 s without a bookmark, and begins another within 30 s."""


def _paths(raw: Raw) -> tuple[str, ...]:
    """The index of Models: the key of the object, so that no two get the same one."""
    return (Model.parse(raw).object_path,)


class Operator:
    """The caches, queues and reconcilers of one process, wired together."""

    def __init__(
        self, settings: OperatorSettings, client: KubeClient, leadership: Leadership | None = None
    ) -> None:
        self._settings = settings
        self._client = client
        self._leadership = leadership or Leadership.alone()
        self._lag = LoopLag()
        self._cache = WatchCache({MODELSERVES: serve_references, MODELS: _paths, PODS: pods_of})
        self._children = Children(client, self._cache)
        self._exposition = Exposition(self._cache)
        fence = self._leadership.fence
        self._books, self._ledger = parts.bookkeeping(settings, self._cache, fence)
        self._lists = Listing(client, self._cache, changed=self._changed)
        self._hearing = Hearing(listed=self._lists.listed)
        self._news_of_models = ModelNews()
        self._synced = False
        self._usage = ContractUsage()
        events = EventRecorder(client, instance=settings.instance)
        status = StatusWriter(client, self._cache, events, wrote=self._wrote)
        store = MinioStore(dataclasses.replace(settings.transfer.store, fence=fence))
        self._transfers = Transfers(
            parts.runner(settings, client, self._cache, fence),
            concurrency=settings.transfers,
            on_news=self._news,
        )
        self._urls = FetchUrls(
            client=client,
            store=store,
            lifetime=settings.url_lifetime,
            clock=parts.utc_now,
        )
        models = ModelReconciler(
            client=client,
            cache=self._cache,
            store=store,
            sources=Sources(
                client, namespace=settings.namespace, quant_endpoint=settings.quant_endpoint
            ),
            transfers=self._transfers,
            status=status,
            default=parts.default_location(settings),
            kept=parts.kept_objects(settings, store),
        )
        self._shown = ShownUsage() if settings.usage else None
        self._keys, self._routes, self._probe = parts.gateway(settings, client, told=self._answered)
        serves = ServeReconciler(
            cache=self._cache,
            children=self._children,
            urls=self._urls,
            catalogue=Catalogue(client=client, made=self._made, quant=parts.quant(settings)),
            status=status,
            platform=parts.platform(settings),
            guard=parts.guard(settings, client, self._cache, self._usage),
            keys=self._keys,
            routes=self._routes,
            missing=self._lists.missing,
            usage=self._shown,
        )
        contracts = ContractReconciler(
            cache=self._cache,
            usage=self._usage,
            status=status,
            wake=lambda name: self._queues[MODELSERVES].put(name),
            clock=parts.utc_now,
        )
        self._queues = {
            MODELS: WorkQueue("model", models.reconcile, workers=WORKERS),
            MODELSERVES: WorkQueue("modelserve", serves.reconcile, workers=WORKERS),
            RESOURCECONTRACTS: WorkQueue("resourcecontract", contracts.reconcile, workers=1),
        }

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Stand by, lead and work until SIGTERM, SIGINT or `stop`; raises LeaseLost.

        The caches are full before this replica stands for election, so that it can work at once.
        """
        host, port = self._settings.http_host, self._settings.http_port
        signalled = stop is None
        stop = stop or asyncio.Event()
        if signalled:
            on_signals(stop)
            on_continued(self._leadership.lost)
        async with serving(
            host, port, healthy=self._wrong, ready=self._not_ready, leads=self._leads
        ):
            freezing = asyncio.create_task(Freezing(self._cache.__len__).keep())
            if not await done_before(stop, self._lists.fill()):
                return
            self._synced = True
            logger.info("the operator is ready")
            works = (self._leadership.run(), self._lag.measure(), self._lead())
            tasks = [asyncio.create_task(work) for work in works] + [freezing]
            for task in tasks:
                # None of them ends by itself: better to start anew than to go on without it.
                task.add_done_callback(lambda _: stop.set())
            election, *others = tasks
            try:
                await self._watch(stop, others, signalled=signalled)
            finally:
                await self._give_up(election)
        logger.info("the operator has stopped")

    async def _give_up(self, election: asyncio.Task[None]) -> None:
        """Let another lead, once nothing is written here any more; raises LeaseLost."""
        try:
            await cancelled([election])
        finally:
            await self._leadership.release()

    async def _lead(self) -> None:
        """Work until cancelled, from when this replica leads.

        At the end nothing new is begun, then transfers end and keep their uploads, while what the
        ledger lacks is written.
        """
        await self._leadership.taken.wait()
        for resource in WATCHED:
            for raw in self._cache.all(resource):
                self._record(resource, raw)
        await self._adopt()
        works = [queue.run() for queue in self._queues.values()]
        works += [self._resync(), *self._collecting()]
        if console := self._console():
            works.append(console.run())
        working = asyncio.gather(*works)
        ledger = asyncio.ensure_future(self._ledger.run() if self._ledger else forever())
        try:
            await asyncio.wait((working, ledger), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancelled([working])
            ledger.cancel()
            await self._transfers.stop_all()
            await cancelled([ledger])
            if self._routes is not None and self._probe is not None:
                await self._routes.close()
                await self._probe.close()

    async def _adopt(self) -> None:
        """Before any transfer is begun: those that run already have their places."""
        while True:
            try:
                await self._transfers.adopt()
                return
            except KubeRejected as error:
                # Not worth standing still for: who starts a transfer that runs finds it.
                logger.warning("transfers that run may not be looked for: %s", error)
                return
            except KubeError as error:
                logger.warning("transfers that run could not be looked for: %s", error)
                await asyncio.sleep(ADOPT_SECONDS)

    async def _watch(
        self, stop: asyncio.Event, tasks: list[asyncio.Task[None]], *, signalled: bool
    ) -> None:
        """Let kopf watch until `stop`, or until it ends by itself, which is an error.

        It is cancelled rather than told to stop: it would wait 5 s for every task that began while
        it ran, ours too, and then cancel them. So our `tasks` are ended before.
        """
        handlers = registry(
            self._cache,
            [*WATCHED, *(ROUTED if self._settings.gateway else ())],
            kubeconfig=self._settings.kubeconfig,
            changed=self._changed,
            hearing=self._hearing,
        )
        begun = asyncio.Event()
        running = kopf.operator(
            registry=handlers,
            settings=kopf_settings(),
            clusterwide=True,
            standalone=True,
            ready_flag=begun,
        )
        watching = asyncio.create_task(running)
        watching.add_done_callback(lambda _: stop.set())
        try:
            await done_before(stop, once_set(begun))
            self._hearing.expect(resource.plural for resource in WATCHED)
            if signalled:
                on_signals(stop)  # kopf has put its own in their place.
            await stop.wait()
        finally:
            try:
                await cancelled([*tasks, *self._lists.tasks()])
            finally:
                await cancelled([watching])

    def _wrote(self, resource: Resource, raw: Raw) -> None:
        """Wake those that wait for an object whose status we wrote, not the object itself."""
        self._record(resource, raw)
        own = raw["metadata"].get("namespace", ""), raw["metadata"]["name"]
        for kind, key in self._woken(resource, raw):
            if (kind, key) != (resource, own):
                self._put(resource, kind, key)

    def _made(self, model: Raw) -> None:
        for each in self._cache.take(MODELS, model):
            self._changed(MODELS, each)

    def _record(self, resource: Resource, raw: Raw) -> None:
        """Metrics and ledger follow each state of an object, those of the leader alone."""
        if not self._leads():
            return
        self._exposition.see(resource, raw)
        if self._books is not None:
            self._books.see(resource, raw)

    def _changed(self, resource: Resource, raw: Raw) -> None:
        self._record(resource, raw)
        for kind, key in self._woken(resource, raw):
            self._put(resource, kind, key)
        meta = section(raw, "metadata")
        own = meta.get("namespace", ""), meta["name"]
        if resource == MODELSERVES:
            self._recount(own)
        if self._cache.current(resource, raw) is None:
            self._children.forget(meta.get("uid", ""))
            self._urls.forget(meta.get("uid", ""))
            if self._keys is not None and self._routes is not None:
                self._keys.forget(meta.get("uid", ""))
                self._routes.forget(meta.get("uid", ""))

    def _woken(self, resource: Resource, raw: Raw) -> Iterator[Wakeup]:
        """Not the servers of a Model that only counts them anew: there may be thousands."""
        found = wakeups(self._cache, resource, raw)
        if resource == MODELS and not self._news_of_models.there_is(self._cache, raw):
            return (each for each in found if each[0] == MODELS)
        return found

    def _put(self, changed: Resource, kind: Resource, key: Name) -> None:
        counts = changed == MODELSERVES and kind == MODELS
        self._queues[kind].put(key, delay=COUNT_SECONDS if counts else 0)

    def _recount(self, name: Name) -> None:
        """A ModelServe came, changed or went: its contract is counted anew, once for many."""
        seen = self._cache.get(MODELSERVES, name[1], name[0])
        for contract in self._usage.see(name, seen):
            self._queues[RESOURCECONTRACTS].put(("", contract), delay=RECOUNT_SECONDS)

    def _collecting(self) -> Iterator[Coroutine[Any, Any, None]]:
        """The measuring of what servers use, where that is switched on."""
        if self._shown is not None:
            yield collecting(
                self._client,
                self._cache,
                settings=self._settings,
                shown=self._shown,
                wake=self._queues[MODELSERVES].put,
                took=() if self._books is None else (self._books.took,),
            )

    def _console(self) -> ConsoleRoute | None:
        gateway = self._settings.gateway
        if gateway is None or not gateway.console:
            return None
        return ConsoleRoute(
            self._client,
            gateway.routing,
            service=gateway.console,
            namespace=self._settings.namespace,
        )

    def _answered(self, uid: str) -> None:
        """The gateway's answer for the ModelServe with this UID has become another."""
        name = self._cache.name_of(uid)
        if name is not None:
            self._queues[MODELSERVES].put(name)

    def _news(self, uid: str) -> None:
        """A transfer has news of the Model with this UID."""
        name = self._cache.name_of(uid)
        if name is not None:
            self._queues[MODELS].put(name)

    async def _resync(self) -> None:
        """Now and then look at everything, spread over a minute or the interval."""
        while True:
            await asyncio.sleep(self._settings.resync)
            await self._lists.again()
            spread = min(60.0, self._settings.resync)
            for resource, queue in self._queues.items():
                names = self._cache.names(resource)
                for place, name in enumerate(names):
                    queue.put(name, delay=spread * place / len(names))

    def _leads(self) -> bool:
        return self._leadership.taken.is_set()

    def _wrong(self) -> str:
        """What only a new start can heal: never that the API server or a store is away."""
        oldest = max(queue.oldest() for queue in self._queues.values())
        if oldest > STUCK_SECONDS:
            return f"an object has waited {oldest:.0f} s"
        if self._lag.last > LAG_SECONDS:
            return f"the event loop was {self._lag.last:.0f} s late"
        silence, kind = self._hearing.longest()
        if silence > SILENCE_SECONDS and self._leadership.answered():
            return f"the watch of {kind} has told nothing for {silence:.0f} s"
        return self._leadership.wrong()

    def _not_ready(self) -> str:
        return "" if self._synced else "waiting for the API server"


async def run(settings: OperatorSettings) -> None:
    """`roadstead operator`: connect and work until SIGTERM; raises LeaseLost."""
    async with leadership(settings) as part:
        client = await KubeClient.connect(settings.kubeconfig or None, fence=part.fence)
        try:
            await Operator(settings, client, part).run()
        finally:
            await client.close()
