"""The reconciler of Models: transfers the object to the store and writes the status."""

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
from roadstead.api.group import ANNOTATION_RETRY, ANNOTATION_STORED, FINALIZER
from roadstead.api.model import Model, StoreLocation
from roadstead.api.raw import Raw, section, timestamp
from roadstead.api.references import by_name, by_uuid
from roadstead.api.stored_content import StoredContent
from roadstead.clocks import utc_now
from roadstead.controllers.model.kept_objects import KeptObjects
from roadstead.controllers.model.model_plan import ModelFacts, Plan, PlanStep, plan
from roadstead.controllers.model.model_removal import clear_store
from roadstead.controllers.model.model_sources import Sources, owner, transfer_job
from roadstead.controllers.model.model_status import status_of
from roadstead.controllers.status_writer import StatusWriter
from roadstead.controllers.transfers.running_transfers import Transfers
from roadstead.controllers.transfers.transfer_runner import TransferAttempt
from roadstead.errors import KubeNotFound, KubeRejected, ModelError, StoreError
from roadstead.json_digest import json_digest
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import MODELS, Resource
from roadstead.kube.watch_cache import Name, WatchCache
from roadstead.store.store_client import MinioStore, StoredObject

logger = logging.getLogger(__name__)

CHECK_SECONDS: Final = 300.0
"""The least interval between checks that the store has a verified object."""
UNSTARTED_RETRY_SECONDS: Final = 30.0
"""The delay before the next attempt if a transfer could not be started."""
TRANSFER_STOP_POLL_SECONDS: Final = 1.0
_TRANSFER_ENDING: Final = "waits for the pod of its transfer to exit before the store is cleaned up"


class FinalizerWriter(Protocol):
    """The method of the API client that sets finalizers."""

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        """Apply a merge patch; a resourceVersion in it makes it conditional."""


@dataclasses.dataclass(kw_only=True)
class ModelReconciler:
    """Gathers, plans, acts, writes the status; `default` is the default location (no path)."""

    client: FinalizerWriter
    cache: WatchCache
    store: MinioStore
    sources: Sources
    transfers: Transfers
    status: StatusWriter
    default: StoreLocation
    admitted: AdmittedServes
    kept: KeptObjects | None = None
    """The objects that earlier Models stored; None without a ledger."""
    checked: dict[str, float] = dataclasses.field(default_factory=dict)

    async def reconcile(self, key: Name) -> float | None:
        """Take the next step for one Model; returns seconds until the next reconcile."""
        model = self.cache.model(key[1])
        if model is None:
            return None
        if model.meta.deleting:
            return await self._remove(model)
        if FINALIZER not in model.meta.finalizers:
            model = await self._set_finalizers(model, (*model.meta.finalizers, FINALIZER))
        if model.faults:
            await self._write_blocker(model, "Unreadable", "; ".join(model.faults))
            return None
        facts = await self._gather(model)
        step = plan(facts)
        if step.step is PlanStep.START:
            facts, step = await self._start(await self._write_reason(facts, step))
        await self.status.write(MODELS, facts.model.raw, status_of(facts, step, now=_now()))
        if step.step is PlanStep.RECORD:
            await self.transfers.settle(model.meta.uid)
            self.checked[model.meta.uid] = time.monotonic()
        await self._record_content(key)
        return step.delay or None

    async def _gather(self, model: Model) -> ModelFacts:
        uid = model.meta.uid
        target = self.location(model)
        view = self.transfers.view(uid)
        checked, stored = await self._stat(model, target) if view is None else (False, None)
        retry = model.meta.annotations.get(ANNOTATION_RETRY, "")
        version = "" if model.digest else await self.sources.version(model)
        servers = self.servers(model)
        self.transfers.set_tenants(uid, tenants(servers))
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

    async def _stat(self, model: Model, target: StoreLocation) -> tuple[bool, StoredObject | None]:
        """Whether the store was queried for a verified object, and the object it has.

        A verified Model stays verified while the store is unavailable.
        """
        last = self.checked.get(model.meta.uid, float("-inf"))
        if not model.digest or time.monotonic() - last < CHECK_SECONDS:
            return False, None
        try:
            found = await self.store.stat(target)
        except StoreError as error:
            logger.warning("cannot check the object in the store: %s", error)
            return False, None
        self.checked[model.meta.uid] = time.monotonic()
        return True, found

    def location(self, model: Model) -> StoreLocation:
        """The location of the Model's object in the store."""
        return StoreLocation(
            endpoint=model.endpoint or self.default.endpoint,
            bucket=model.bucket or self.default.bucket,
            path=model.object_path,
        )

    def servers(self, model: Model) -> tuple[str, ...]:
        """`namespace/name` of each admitted ModelServe that uses the Model."""
        keys = (by_name(model.meta.name), by_uuid(model.meta.uid))
        users = (serve for key in keys for serve in self.cache.indexed_serves(key))
        metas = (serve.meta for serve in users if self.admitted.has(serve))
        return tuple(sorted({f"{meta.namespace}/{meta.name}" for meta in metas}))

    def _taken_by(self, model: Model, target: StoreLocation) -> str:
        """The name of the other Model that owns the location; empty without one."""
        models = (model, *self._others(model, target))
        first = owner(models, target, in_transfer=self._in_transfer)
        return "" if first is model else first.meta.name

    def _in_transfer(self, model: Model) -> bool:
        return self.transfers.view(model.meta.uid) is not None

    def _others(self, model: Model, target: StoreLocation) -> Iterator[Model]:
        """Other Models with the same location."""
        for other in self.cache.indexed_models(model.object_path):
            if other.meta.uid != model.meta.uid and self.location(other) == target:
                yield other

    async def _write_reason(self, facts: ModelFacts, step: Plan) -> ModelFacts:
        """Write why a verified object is transferred again, before the transfer starts."""
        if not step.reason:
            return facts
        await self.status.write(MODELS, facts.model.raw, status_of(facts, step, now=_now()))
        model = self.cache.model(facts.model.meta.name)
        return dataclasses.replace(facts, model=model) if model else facts

    async def _start(self, facts: ModelFacts) -> tuple[ModelFacts, Plan]:
        """Start a transfer; if its source or bucket is unavailable, plan a retry."""
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
        """Remove the finalizer once no ModelServe uses the Model and the store is cleaned up.

        Returns seconds until the next reconcile while its transfer still runs.
        """
        if FINALIZER not in model.meta.finalizers:
            return None
        users = self.servers(model)
        if users:
            await self._write_blocker(model, "InUse", _in_use(users))
            return None
        if not await self.transfers.stop(model.meta.uid):
            await self._write_blocker(model, "TransferEnding", _TRANSFER_ENDING)
            return TRANSFER_STOP_POLL_SECONDS
        await self._clear(model)
        return None

    async def _clear(self, model: Model) -> None:
        """Clean up the store as the deletion policy requires, and remove the finalizer."""
        target = self.location(model)
        since = datetime.datetime.fromisoformat(section(model.raw, "metadata")["deletionTimestamp"])
        waiting = (utc_now() - since).total_seconds()
        shared = any(True for _ in self._others(model, target))
        try:
            await clear_store(self.store, model, target, deleting_for=waiting, shared=shared)
        except StoreError as error:
            await self._write_blocker(model, error.reason, str(error))
            raise
        rest = tuple(item for item in model.meta.finalizers if item != FINALIZER)
        with contextlib.suppress(KubeNotFound):
            await self._set_finalizers(model, rest)
        self.checked.pop(model.meta.uid, None)

    async def _write_blocker(self, model: Model, reason: str, message: str) -> None:
        kept = [
            item for name in ("Stored", "Verified") if (item := conditions.find(model.raw, name))
        ]
        wanted = [*kept, conditions.condition("Ready", False, reason, message)]
        merged = conditions.merged(model.raw, wanted, now=_now())
        status = {**model.status, "servers": len(self.servers(model)), "conditions": merged}
        await self.status.write(MODELS, model.raw, status)

    async def _record_content(self, key: Name) -> None:
        """Write where a verified content is, for a restore; a refusal is only logged."""
        model = self.cache.model(key[1])
        content = _unrecorded(model) if model is not None else None
        if model is None or content is None:
            return
        meta = model.meta
        annotations = {ANNOTATION_STORED: content.to_text()}
        body = {"metadata": {"annotations": annotations, "resourceVersion": meta.resource_version}}
        try:
            answer = await self.client.patch(MODELS, meta.name, body)
        except (KubeRejected, KubeNotFound) as error:
            logger.warning("the place of the content could not be recorded: %s", error)
            return
        self.cache.put(MODELS, answer)

    async def _set_finalizers(self, model: Model, finalizers: tuple[str, ...]) -> Model:
        meta = model.meta
        body = {
            "metadata": {"finalizers": list(finalizers), "resourceVersion": meta.resource_version}
        }
        answer = await self.client.patch(MODELS, meta.name, body)
        if finalizers:
            self.cache.put(MODELS, answer)
        return Model.parse(answer)


def _unrecorded(model: Model) -> StoredContent | None:
    """Where the content of a verified Model is, if its annotation does not have that yet."""
    ready = conditions.find(model.raw, "Ready")
    current = model.status.get("observedGeneration") == model.meta.generation
    if not model.digest or model.faults or ready is None or not (ready.true and current):
        return None
    spec = json_digest(section(model.raw, "spec"))
    found = StoredContent(path=model.object_path, sha256=model.digest, spec=spec)
    return found if found != model.kept else None


def _inputs(*parts: object) -> str:
    """A digest, since an annotation may be long."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:16]


def _now() -> str:
    return timestamp(utc_now())


def tenants(servers: tuple[str, ...]) -> set[str]:
    """The namespaces of the ModelServes that use a Model."""
    return {server.partition("/")[0] for server in servers}


def _in_use(users: tuple[str, ...]) -> str:
    shown = ", ".join(users[:5]) + (", ..." if len(users) > 5 else "")
    return f"used by {len(users)} ModelServe(s): {shown}; delete them to delete the Model"
