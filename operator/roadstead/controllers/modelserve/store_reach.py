"""Allows the pods of servers to reach the embedded store, from namespaces with servers only."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import Final

from roadstead.api.contract.granted import FIELD
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw
from roadstead.controllers.object_access import ObjectApplier
from roadstead.errors import KubeError, KubeNotFound
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.resources import NETWORKPOLICIES
from roadstead.kube.watch_cache import WatchCache
from roadstead.manifests.digest import digest_of
from roadstead.manifests.rendering import Manifest
from roadstead.manifests.store_policy import store_policy

logger = logging.getLogger(__name__)

REVIEW_SECONDS: Final = 60.0
"""The interval at which namespaces without servers are removed and the policy is corrected."""


@dataclasses.dataclass(kw_only=True)
class StoreReach:
    """Maintains one NetworkPolicy in addition to `policy`, the chart's for the store."""

    client: ObjectApplier
    cache: WatchCache
    admitted: AdmittedServes
    policy: str
    namespace: str
    _allowed: frozenset[str] = frozenset()
    _lock: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)

    async def allow(self, namespace: str) -> None:
        """Allow a namespace before a pod there fetches its model; raises KubeError."""
        if namespace in self._allowed:
            return
        async with self._lock:
            if namespace not in self._allowed:
                await self._write(self._allowed | self._namespaces() | {namespace})

    async def review(self) -> None:
        """Allow exactly the namespaces that have servers; raises KubeError."""
        async with self._lock:
            await self._write(self._namespaces())

    async def run(self) -> None:
        """Review periodically until cancelled; errors are logged."""
        while True:
            try:
                await self.review()
            except KubeError as error:
                logger.warning("cannot write the NetworkPolicy of the store: %s", error)
            await asyncio.sleep(REVIEW_SECONDS)

    def _namespaces(self) -> frozenset[str]:
        """The namespaces of servers that may fetch a model, now or again."""
        return frozenset(
            serve.meta.namespace for serve in self.cache.serves() if self._counts(serve)
        )

    def _counts(self, serve: ModelServe) -> bool:
        runs = bool(serve.status.get("startedAt") or serve.status.get(FIELD))
        return runs or self.admitted.has(serve)

    async def _write(self, namespaces: frozenset[str]) -> None:
        base = await self._read(self.policy)
        # Without the chart's policy the store is not restricted.
        if base is not None:
            wanted = store_policy(base, namespaces)
            if not _is_current(await self._read(wanted["metadata"]["name"]), wanted):
                await self.client.apply(NETWORKPOLICIES, wanted)
        self._allowed = namespaces

    async def _read(self, name: str) -> Raw | None:
        try:
            return await self.client.get(NETWORKPOLICIES, name, self.namespace)
        except KubeNotFound:
            return None


def _is_current(found: Raw | None, wanted: Manifest) -> bool:
    """Whether the policy exists and is unchanged; the API server adds no defaults to it."""
    known = found or {}
    return digest_of(known) == digest_of(wanted) and known.get("spec") == wanted["spec"]
