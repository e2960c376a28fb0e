"""The reconciler of Models: has the object brought to the store, verified, and says so."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import logging
import time
from collections.abc import Iterator
from typing import Final, Protocol

from roadstead.api import conditions
from roadstead.api.group import ANNOTATION_RETRY, FINALIZER
from roadstead.api.location import StoreLocation
from roadstead.api.model import Model
from roadstead.api.raw import Raw, section, timestamp
from roadstead.api.references import by_name, by_uuid
from roadstead.controllers.kept_objects import KeptObjects
from roadstead.controllers.model_place import owner
from roadstead.controllers.model_plan import ModelFacts, Plan, PlanStep, plan
from roadstead.controllers.model_removal import RemovalStore, clear_store
from roadstead.controllers.model_sources import Sources, transfer_job
from roadstead.controllers.model_status import status_of
from roadstead.controllers.status_writer import StatusWriter
from roadstead.controllers.transfer_runner import TransferAttempt
from roadstead.controllers.transfers import Transfers
from roadstead.errors import KubeNotFound, ModelError, StoreError
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import MODELS, MODELSERVES, Resource
from roadstead.kube.watch_cache import Name, WatchCache
from roadstead.store.store_client import StoredObject

logger = logging.getLogger(__name__)

CHECK_SECONDS: Final = 300.0
"""How often a verified object is looked for in the store, at most."""
UNSTARTED_RETRY_SECONDS: Final = 30.0
"""How soon it is tried again where a transfer could not even be started."""
ENDING_SECONDS: Final = 1.0
_ENDING: Final = "its transfer's pod has yet to end; only then is the store cleared"


class ModelStore(RemovalStore, Protocol):
    """What is asked of the store here."""

    async def stat(self, location: StoreLocation) -> StoredObject | None:
        """The object, None without one."""

    async def ensure_bucket(self, bucket: str | None = None) -> None:
        """Make the bucket if it isn't there."""


class FinalizerWriter(Protocol):
    """The part of the API client that sets finalizers."""

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        """Merge patch; a resourceVersion in it makes it conditional."""


@dataclasses.dataclass(kw_only=True)
class ModelReconciler:
    """Gather, plan, act, write the status; `default` is where objects go by default (no path)."""

    client: FinalizerWriter
    cache: WatchCache
    store: ModelStore
    sources: Sources
    transfers: Transfers
    status: StatusWriter
    default: StoreLocation
    admitted: AdmittedServes
    kept: KeptObjects | None = None
    """What earlier Models left in the store; None where there is no ledger to tell of it."""
    checked: dict[str, float] = dataclasses.field(default_factory=dict)

    async def reconcile(self, key: Name) -> float | None:
        """Bring one Model a step further; seconds after which to look again."""
        raw = self.cache.get(MODELS, key[1])
        if raw is None:
            return None
        model = Model.parse(raw)
        if model.meta.deleting:
            return await self._remove(model)
        if FINALIZER not in model.meta.finalizers:
            model = await self._finalizers(model, (*model.meta.finalizers, FINALIZER))
        facts = await self._gather(model)
        step = plan(facts)
        if step.step is PlanStep.START:
            facts, step = await self._start(await self._told_why(facts, step))
        await self.status.write(MODELS, facts.model.raw, status_of(facts, step, now=_now()))
        if step.step is PlanStep.RECORD:
            await self.transfers.settle(model.meta.uid)
            self.checked[model.meta.uid] = time.monotonic()
        return step.delay or None

    async def _gather(self, model: Model) -> ModelFacts:
        uid = model.meta.uid
        target = self.location(model)
        view = self.transfers.view(uid)
        checked, stored = await self._look(model, target) if view is None else (False, None)
        retry = model.meta.annotations.get(ANNOTATION_RETRY, "")
        version = "" if model.digest else await self.sources.version(model)
        servers = self.servers(model)
        self.transfers.wanted_by(uid, tenants(servers))
        return ModelFacts(
            model=model,
            target=target,
            view=view,
            inputs=_inputs(model.meta.generation, version, retry),
            taken_by=self._taken_by(model, target),
            servers=servers,
            checked=checked,
            stored=stored,
            now=time.monotonic(),
        )

    async def _look(self, model: Model, target: StoreLocation) -> tuple[bool, StoredObject | None]:
        """Whether the store was asked for a verified object, and what it has.

        A store that can't be asked takes nothing away from a Model that was verified.
        """
        last = self.checked.get(model.meta.uid, float("-inf"))
        if not model.digest or time.monotonic() - last < CHECK_SECONDS:
            return False, None
        try:
            found = await self.store.stat(target)
        except StoreError as error:
            logger.warning("the store could not be asked for the object: %s", error)
            return False, None
        self.checked[model.meta.uid] = time.monotonic()
        return True, found

    def location(self, model: Model) -> StoreLocation:
        """Where the Model's object stands, or is to stand."""
        return StoreLocation(
            endpoint=model.endpoint or self.default.endpoint,
            bucket=model.bucket or self.default.bucket,
            path=model.object_path,
        )

    def servers(self, model: Model) -> tuple[str, ...]:
        """`namespace/name` of each admitted ModelServe that uses it."""
        keys = (by_name(model.meta.name), by_uuid(model.meta.uid))
        naming = (raw for key in keys for raw in self.cache.indexed(MODELSERVES, key))
        metas = (section(raw, "metadata") for raw in naming if self.admitted.has(raw))
        return tuple(sorted({f"{meta['namespace']}/{meta['name']}" for meta in metas}))

    def _taken_by(self, model: Model, target: StoreLocation) -> str:
        """The other Model that the place belongs to."""
        first = owner((model, *self._others(model, target)), target, brings=self._brings)
        return "" if first is model else first.meta.name

    def _brings(self, model: Model) -> bool:
        return self.transfers.view(model.meta.uid) is not None

    def _others(self, model: Model, target: StoreLocation) -> Iterator[Model]:
        """Other Models with the same place."""
        for raw in self.cache.indexed(MODELS, model.object_path):
            other = Model.parse(raw)
            if other.meta.uid != model.meta.uid and self.location(other) == target:
                yield other

    async def _told_why(self, facts: ModelFacts, step: Plan) -> ModelFacts:
        """A verified object that is brought again: say what became of it before that begins."""
        if not step.reason:
            return facts
        name = facts.model.meta.name
        await self.status.write(MODELS, facts.model.raw, status_of(facts, step, now=_now()))
        raw = self.cache.get(MODELS, name)
        return dataclasses.replace(facts, model=Model.parse(raw)) if raw else facts

    async def _start(self, facts: ModelFacts) -> tuple[ModelFacts, Plan]:
        """Start a transfer; where its source or bucket can't be had, say so and wait a little."""
        model, uid = facts.model, facts.model.meta.uid
        self.transfers.forget(uid)
        try:
            source = await self.sources.source(model)
            await self.store.ensure_bucket(facts.target.bucket)
            if self.kept is not None:
                await self.kept.ensure(model, facts.target)
        except ModelError as error:
            held = Plan(
                step=PlanStep.HOLD,
                reason=error.reason,
                message=str(error),
                delay=UNSTARTED_RETRY_SECONDS,
            )
            return dataclasses.replace(facts, view=None), held
        attempts = int(section(model.status, "transfer").get("attempt", 0)) + 1
        job = transfer_job(model, source, facts.target)
        attempt = TransferAttempt(job=job, inputs=facts.inputs, number=attempts)
        self.transfers.start(attempt, tenants=tenants(facts.servers))
        started = dataclasses.replace(facts, view=self.transfers.view(uid))
        return started, Plan(step=PlanStep.WAIT)

    async def _remove(self, model: Model) -> float | None:
        """Let the Model go, once no ModelServe uses it and the store is in order.

        Seconds after which to look again where its transfer has yet to end.
        """
        if FINALIZER not in model.meta.finalizers:
            return None
        users = self.servers(model)
        if users:
            await self._say_why_kept(model, "InUse", _in_use(users))
            return None
        if not await self.transfers.stop(model.meta.uid):
            await self._say_why_kept(model, "TransferEnding", _ENDING)
            return ENDING_SECONDS
        await self._clear(model)
        return None

    async def _clear(self, model: Model) -> None:
        """Do in the store what the deletion asks for, and take the finalizer away."""
        target = self.location(model)
        since = datetime.datetime.fromisoformat(section(model.raw, "metadata")["deletionTimestamp"])
        waiting = (datetime.datetime.now(datetime.UTC) - since).total_seconds()
        shared = any(True for _ in self._others(model, target))
        try:
            await clear_store(self.store, model, target, deleting_for=waiting, shared=shared)
        except StoreError as error:
            await self._say_why_kept(model, error.reason, str(error))
            raise
        rest = tuple(item for item in model.meta.finalizers if item != FINALIZER)
        with contextlib.suppress(KubeNotFound):
            await self._finalizers(model, rest)
        self.checked.pop(model.meta.uid, None)

    async def _say_why_kept(self, model: Model, reason: str, message: str) -> None:
        kept = [
            item for name in ("Stored", "Verified") if (item := conditions.find(model.raw, name))
        ]
        wanted = [*kept, conditions.condition("Ready", False, reason, message)]
        merged = conditions.merged(model.raw, wanted, now=_now())
        status = {**model.status, "servers": len(self.servers(model)), "conditions": merged}
        await self.status.write(MODELS, model.raw, status)

    async def _finalizers(self, model: Model, finalizers: tuple[str, ...]) -> Model:
        meta = model.meta
        body = {
            "metadata": {"finalizers": list(finalizers), "resourceVersion": meta.resource_version}
        }
        answer = await self.client.patch(MODELS, meta.name, body)
        if finalizers:
            self.cache.put(MODELS, answer)
        return Model.parse(answer)


def _inputs(*parts: object) -> str:
    """Short, whatever length an annotation has."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:16]


def _now() -> str:
    return timestamp(datetime.datetime.now(datetime.UTC))


def tenants(servers: tuple[str, ...]) -> set[str]:
    """Who waits for a Model: the namespaces of the ModelServes that use it."""
    return {server.partition("/")[0] for server in servers}


def _in_use(users: tuple[str, ...]) -> str:
    shown = ", ".join(users[:5]) + (", ..." if len(users) > 5 else "")
    return f"used by {len(users)} ModelServe(s): {shown}; delete them and the Model goes"
