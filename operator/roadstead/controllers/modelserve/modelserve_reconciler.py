"""The reconciler of ModelServes: creates the server of each once its model is available."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Final

from roadstead import metrics
from roadstead.api.contract.devices import DEFAULT_DEVICES
from roadstead.api.contract.granted import Granted
from roadstead.api.memory import estimate, remedy
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section
from roadstead.api.server_ids import holder
from roadstead.api.workload import WorkloadState, has_waiting_pod, observe
from roadstead.controllers.modelserve.admission_recheck import AdmissionRecheck
from roadstead.controllers.modelserve.fetch_urls import FetchUrls
from roadstead.controllers.modelserve.grants import Grant
from roadstead.controllers.modelserve.model_catalogue import ModelCatalogue
from roadstead.controllers.modelserve.modelserve_plan import (
    RECHECK_SECONDS,
    ApplyServer,
    AwaitModel,
    BlockServer,
    FreezeServer,
    plan,
)
from roadstead.controllers.modelserve.modelserve_status import ServeObservation
from roadstead.controllers.modelserve.pull_secret_copies import PullSecretCopies
from roadstead.controllers.modelserve.routing import Routes
from roadstead.controllers.modelserve.server_keys import ServerKeys
from roadstead.controllers.modelserve.store_reach import StoreReach
from roadstead.controllers.server_pods import pods_key_of
from roadstead.controllers.status_writer import StatusWriter
from roadstead.errors import (
    InvalidResource,
    KubeRejected,
    KubeUnavailable,
    NameTaken,
    PullSecretUnusable,
    StoreError,
)
from roadstead.gateway.probe import Reached
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.children import Children
from roadstead.kube.resources import (
    DEPLOYMENTS,
    HTTPROUTES,
    INGRESSROUTES,
    MIDDLEWARES,
    MODELSERVES,
    PODS,
    Resource,
    resource_of,
)
from roadstead.kube.watch_cache import Name, WatchCache
from roadstead.manifests import names
from roadstead.manifests.modelserve_manifests import (
    desired_objects,
    starts_pods,
    without_needless_rollout,
)
from roadstead.manifests.platform import Platform
from roadstead.policy.chain import Violation
from roadstead.policy.modelserve_policy import ServeFacts
from roadstead.policy.recheck import Effect, RecheckVerdict, server_id_taken
from roadstead.usage.figures import ShownUsage

logger = logging.getLogger(__name__)

API_FAILURE_RETRY_SECONDS: Final = 10.0
"""The delay before a retry after an error of the API server."""


@dataclasses.dataclass(kw_only=True)
class ServeReconciler:
    """Gathers, evaluates, applies, writes the status.

    Without a `guard`, which is so only without admission, every ModelServe is served.
    """

    cache: WatchCache
    children: Children
    urls: FetchUrls
    catalogue: ModelCatalogue
    status: StatusWriter
    platform: Platform
    admitted: AdmittedServes = dataclasses.field(default_factory=AdmittedServes)
    guard: AdmissionRecheck | None = None
    keys: ServerKeys | None = None
    pulls: PullSecretCopies | None = None
    """None if no image pull Secret is copied."""
    routes: Routes | None = None
    reach: StoreReach | None = None
    """None if no network policy of ours restricts access to the store."""
    missing: Collection[Resource] = ()
    """Kinds of routes that are not installed in this cluster."""
    usage: ShownUsage | None = None
    """None if usage is not measured."""

    async def reconcile(self, key: Name) -> float | None:
        """Take the next step for one ModelServe; returns seconds until the next reconcile."""
        serve = self.cache.serve(key)
        if serve is None:
            return None
        if serve.meta.deleting:
            # A finalizer of another client may keep it forever; it must not serve meanwhile.
            await self._stop(serve)
            return None
        facts = self.gather(serve)
        verdict = await self._verdict(facts)
        pods = self._pods(serve)
        seen = ServeObservation(
            model=facts.model,
            workload=None,
            verdict=verdict,
            routing=self.platform.routing,
            missing_kinds=tuple(item.kind for item in self._missing_kinds()),
            usage=self.usage.of(serve.server_id, serve.status) if self.usage else None,
        )
        devices = self.guard.usage.devices if self.guard else DEFAULT_DEVICES
        enabled = self.guard is not None
        grant = Grant(serve, seen, self.status, enabled=enabled, devices=devices)
        blocker, delay = await self._act(facts, verdict, grant, needed=has_waiting_pod(pods))
        workload = self._workload(facts, pods)
        routed = self._routed(serve, workload)
        seen = dataclasses.replace(seen, workload=workload, blocker=blocker, routed=routed)
        await self.status.write(MODELSERVES, grant.stored.raw, grant.status(seen))
        return delay

    def _routed(self, serve: ModelServe, workload: WorkloadState | None) -> Reached | None:
        """The result of the gateway probe; only a server that is ready is probed."""
        if self.routes is None:
            return None
        if workload is None or not workload.ready:
            self.routes.forget(serve.meta.uid)
            return None
        return self.routes.follow(serve.meta.uid, serve.server_id)

    def _missing_kinds(self) -> list[Resource]:
        """Kinds that the gateway needs and that are not installed in this cluster."""
        if self.platform.routing is None:
            return []
        route = INGRESSROUTES if self.platform.routing.kind == "traefik" else HTTPROUTES
        return [item for item in (MIDDLEWARES, route) if item in self.missing]

    def gather(self, serve: ModelServe) -> ServeFacts:
        """The Models that the spec names, from the watch cache."""
        named = self.cache.model(serve.model_name) if serve.model_name else None
        numbered = self.cache.model_by_uuid(serve.model_uuid) if serve.model_uuid else None
        return ServeFacts(serve=serve, model_by_name=named, model_by_uuid=numbered)

    def _pods(self, serve: ModelServe) -> list[Raw]:
        """The pods of its Deployment."""
        return list(self.cache.indexed(PODS, pods_key_of(serve)))

    def _workload(self, facts: ServeFacts, pods: Sequence[Raw]) -> WorkloadState | None:
        """The state of its Deployment and pods; None without a Deployment.

        Pods are examined only here, once in a reconcile: their status may be long.
        """
        serve, model = facts.serve, facts.model
        deployment = self._deployment(serve)
        if deployment is None:
            return None
        if model is None:
            return observe(deployment, pods)
        params = serve.runtime_params
        return observe(deployment, pods, lambda: remedy(estimate(model.status, params), params))

    async def _verdict(self, facts: ServeFacts) -> RecheckVerdict | None:
        """The verdict of the guard; None without one, if no other server has its server ID."""
        serve = facts.serve
        claimants = self.cache.claimants(serve.server_id)
        rightful = holder(claimants, serve.server_id, admitted=self.admitted.has)
        if rightful is not None and rightful.meta.uid != serve.meta.uid:
            return server_id_taken(f"{rightful.meta.namespace}/{rightful.meta.name}")
        if self.guard is None:
            return None
        return await self.guard.verdict(
            facts.serve,
            runs=self._deployment(facts.serve) is not None,
            uuid_model=facts.model_by_uuid.meta.name if facts.model_by_uuid else "",
        )

    async def _act(
        self, facts: ServeFacts, verdict: RecheckVerdict | None, grant: Grant, *, needed: bool
    ) -> tuple[Violation | None, float | None]:
        """Act as far as the guard allows; returns the blocker and seconds to the next reconcile.

        `needed` is true if a pod waits for a Secret that it mounts.
        """
        blocker: Violation | None
        delay: float | None
        match plan(facts, verdict):
            case FreezeServer(delay=delay):
                return None, await self._freeze(facts.serve, delay, needed=needed)
            case BlockServer(blocker=blocker):
                delay = None
            case AwaitModel():
                blocker, delay = await self.catalogue.create_model(facts.serve), RECHECK_SECONDS
            case ApplyServer() as step:
                blocker, delay = await self._apply(step, grant, needed=needed)
        if blocker is not None and verdict is not None and verdict.effect is Effect.DRAIN:
            await self._stop(facts.serve)
            stopped = dataclasses.replace(facts.serve, replicas=0)
            grant.settle(stopped, self._deployment(facts.serve))
        elif blocker is not None and needed:
            delay = _earlier(delay, await self._renew_granted(facts.serve))
        return blocker, delay

    async def _stop(self, serve: ModelServe) -> None:
        """Scale a server to zero that is being deleted or can't be rendered."""
        deployment = self._deployment(serve)
        if deployment is not None and _replicas(deployment):
            await self.children.scale(deployment, 0)

    def _deployment(self, serve: ModelServe) -> Raw | None:
        """Its Deployment in the cache; a Deployment that only has its name does not count."""
        found = self._deployment_by_name(serve)
        return found if found and self.children.owns(found, serve.meta.uid) else None

    def _deployment_by_name(self, serve: ModelServe) -> Raw | None:
        return self.cache.get(DEPLOYMENTS, names.child_name(serve.meta.name), serve.meta.namespace)

    async def _freeze(self, serve: ModelServe, delay: float, *, needed: bool) -> float | None:
        """Change nothing but replicas that were never granted.

        Pods of a server with a grant may fetch its Model again.
        """
        deployment, granted = self._deployment(serve), Granted.parse(serve.status)
        if deployment is None or granted is None:
            return delay
        replicas = granted.demand.replicas
        if _replicas(deployment) > replicas:
            await self.children.scale(deployment, replicas)
        return _earlier(delay, await self._renew_granted(serve)) if needed else delay

    async def _renew_granted(self, serve: ModelServe) -> float | None:
        """Renew the URL of the granted Model for pods that wait, whatever the spec names now.

        Returns seconds until the next renewal; None if no pod may fetch.
        """
        granted = Granted.parse(serve.status)
        if granted is None or not granted.demand.replicas or self._deployment(serve) is None:
            return None
        model = self.cache.model_by_uuid(granted.model_uuid)
        location = model.stored_at if model is not None else None
        if location is None:
            return None
        try:
            return await self.urls.ensure(serve, location, needed=True)
        except (KubeRejected, StoreError) as error:
            logger.warning("cannot renew the fetch URL of a running server: %s", error)
            return RECHECK_SECONDS

    def _needs_url(
        self, serve: ModelServe, deployment: Raw, observed: Raw | None, *, waits: bool
    ) -> bool:
        """Whether a pod waits, or is created once this Deployment is applied."""
        taken = observed is None and self._deployment_by_name(serve) is not None
        starts = starts_pods(deployment, observed) and not taken
        return serve.replicas > 0 and (waits or starts)

    async def _apply(
        self, step: ApplyServer, grant: Grant, *, needed: bool
    ) -> tuple[Violation | None, float | None]:
        """Write the Secret and the children; a refusal is returned, not raised."""
        serve, model = step.serve, step.model
        try:
            api_key = self.keys.of(serve) if self.keys is not None else ""
            desired = desired_objects(serve, model, self.platform, api_key=api_key)
            if self.reach is not None:
                await self.reach.allow(serve.meta.namespace)
            await grant.extend(serve, model.meta.uid, desired[-1])
            observed = self._deployment(serve)
            desired[-1] = without_needless_rollout(desired[-1], observed)
            delay: float | None = None
            if self._needs_url(serve, desired[-1], observed, waits=needed):
                delay = await self.urls.ensure(serve, step.location, needed=needed)
            if self.keys is not None:
                await self.keys.ensure(serve, needed=needed)
            if self.pulls is not None:
                await self.pulls.ensure(serve, needed=needed)
            missing = self._missing_kinds()
            installed = [item for item in desired if resource_of(item) not in missing]
            writes = await self.children.apply(
                installed, server_uuid=serve.meta.uid, server_id=serve.server_id
            )
            grant.settle(serve, self._deployment(serve))
        except InvalidResource as error:
            return Violation(
                reason="InvalidRuntimeParams", message=str(error), field=error.field
            ), None
        except PullSecretUnusable as error:
            return Violation(reason="PullSecretMissing", message=str(error)), RECHECK_SECONDS
        except NameTaken as error:
            return Violation(reason="NameTaken", message=str(error)), RECHECK_SECONDS
        except KubeRejected as error:
            return Violation(reason="Rejected", message=str(error)), RECHECK_SECONDS
        except KubeUnavailable as error:
            if error.status not in (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.FORBIDDEN):
                raise
            # Such as "range is full", which may persist; 403 while our definitions are new.
            violation = Violation(reason="ApiServerFailed", message=str(error))
            return violation, API_FAILURE_RETRY_SECONDS
        except StoreError as error:
            return Violation(reason=error.reason, message=str(error)), RECHECK_SECONDS
        metrics.CHILD_WRITES.inc(writes)
        return None, delay


def _earlier(one: float | None, other: float | None) -> float | None:
    """The shorter of two delays, of which None is none."""
    return min((each for each in (one, other) if each is not None), default=None)


def _replicas(deployment: Raw) -> int:
    return int(section(deployment, "spec").get("replicas", 1))
