"""Lets servers' pods reach the embedded store: from namespaces that have servers, and no other."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import Final, Protocol

from roadstead.api.granted import FIELD
from roadstead.api.raw import Raw, section
from roadstead.errors import KubeError, KubeNotFound
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import MODELSERVES, NETWORKPOLICIES, Resource
from roadstead.kube.watch_cache import WatchCache
from roadstead.manifests.digest import digest_of
from roadstead.manifests.rendering import Manifest
from roadstead.manifests.store_policy import store_policy

logger = logging.getLogger(__name__)

REVIEW_SECONDS: Final = 60.0
"""How soon a namespace without servers is shut out, and a policy that was changed is put right."""


class PolicyClient(Protocol):
    """The part of the API client that reads and applies."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; KubeNotFound if it is not there."""

    async def apply(self, resource: Resource, body: Raw) -> Object:
        """Server-side apply."""


@dataclasses.dataclass(kw_only=True)
class StoreReach:
    """Keeps one NetworkPolicy beside `policy`, the chart's for the store."""

    client: PolicyClient
    cache: WatchCache
    admitted: AdmittedServes
    policy: str
    namespace: str
    _open: frozenset[str] = frozenset()
    _lock: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)

    async def open(self, namespace: str) -> None:
        """Let a namespace in before a pod there fetches its model; raises KubeError."""
        if namespace in self._open:
            return
        async with self._lock:
            if namespace not in self._open:
                await self._write(self._open | self._served() | {namespace})

    async def review(self) -> None:
        """Let in the namespaces that have servers, and no other; raises KubeError."""
        async with self._lock:
            await self._write(self._served())

    async def run(self) -> None:
        """Review now and then until cancelled; no error ends it."""
        while True:
            try:
                await self.review()
            except KubeError as error:
                logger.warning("NetworkPolicy of the store cannot be written: %s", error)
            await asyncio.sleep(REVIEW_SECONDS)

    def _served(self) -> frozenset[str]:
        """The namespaces of servers that may fetch, or whose pods may have to fetch again."""
        serves = self.cache.all(MODELSERVES)
        return frozenset(raw["metadata"]["namespace"] for raw in serves if self._counts(raw))

    def _counts(self, raw: Raw) -> bool:
        status = section(raw, "status")
        runs = bool(status.get("startedAt") or status.get(FIELD))
        return runs or self.admitted.has(raw)

    async def _write(self, namespaces: frozenset[str]) -> None:
        base = await self._found(self.policy)
        # Whoever took it away lets everybody in.
        if base is not None:
            wanted = store_policy(base, namespaces)
            if not _same(await self._found(wanted["metadata"]["name"]), wanted):
                await self.client.apply(NETWORKPOLICIES, wanted)
        self._open = namespaces

    async def _found(self, name: str) -> Raw | None:
        try:
            return await self.client.get(NETWORKPOLICIES, name, self.namespace)
        except KubeNotFound:
            return None


def _same(found: Raw | None, wanted: Manifest) -> bool:
    """Whether it is there and nobody has changed it; nothing in it is filled in by defaults."""
    known = found or {}
    return digest_of(known) == digest_of(wanted) and known.get("spec") == wanted["spec"]
