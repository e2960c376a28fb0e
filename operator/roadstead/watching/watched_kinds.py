"""The kinds that the operator watches: their first lists, the resync, and their silence."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from roadstead.api.group import FIELD_MANAGER, LABEL_MANAGED_BY
from roadstead.api.raw import Raw
from roadstead.errors import ClusterRestored, KubeError, KubeNotFound, KubeRejected
from roadstead.kube.kind_sync import KindSync, ListClient, Scope
from roadstead.kube.resources import (
    CHILDREN,
    MODELS,
    MODELSERVES,
    NAMESPACES,
    PODS,
    RESOURCECONTRACTS,
    ROUTES,
    Resource,
)
from roadstead.kube.watch_cache import WatchCache
from roadstead.kube.watch_state import WATCH_TIMEOUT_SECONDS, WatchState

logger = logging.getLogger(__name__)

OURS: Final = f"{LABEL_MANAGED_BY}={FIELD_MANAGER}"
WATCHED: Final[dict[Resource, str]] = {
    MODELS: "",
    MODELSERVES: "",
    RESOURCECONTRACTS: "",
    NAMESPACES: "",
    PODS: OURS,
    **dict.fromkeys(CHILDREN, OURS),
}
"""The watched kinds with their label selectors."""
ROUTED: Final[dict[Resource, str]] = dict.fromkeys(ROUTES, OURS)
"""The kinds that are also listed, and watched if there is a gateway."""
FILL_RETRY_SECONDS: Final = 2.0
"""The delay before the first list of a kind is tried again."""


class WatchedKinds:
    """Each kind in the cache; `changed` is called with each created, changed or deleted object.

    A watch that is silent for `silence` seconds is closed.
    """

    def __init__(
        self,
        client: ListClient,
        cache: WatchCache,
        *,
        changed: Callable[[Resource, Raw], None],
        silence: float = WATCH_TIMEOUT_SECONDS,
    ) -> None:
        self._kinds = {
            resource: KindSync(
                client,
                cache,
                resource,
                scope=Scope(selector=selector),
                state=WatchState(limit=silence),
                changed=partial(changed, resource),
            )
            for resource, selector in {**WATCHED, **ROUTED}.items()
        }
        self._measured: set[Resource] = set()
        self._restored: ClusterRestored | None = None
        self._restore_found = asyncio.Event()
        self.missing: set[Resource] = set()
        """Kinds of routes that are not installed in this cluster, or may not be read."""

    def sync(self, resource: Resource) -> KindSync:
        """What keeps a kind in the cache."""
        return self._kinds[resource]

    async def fill(self) -> None:
        """List all kinds before anything is reconciled; waits for the API server."""
        for resource in self._kinds:
            while True:
                try:
                    await self._list(resource)
                    break
                except KubeError as error:
                    logger.warning("waiting for the API server: %s", error)
                    await asyncio.sleep(FILL_RETRY_SECONDS)

    async def relist_all(self) -> None:
        """List all kinds again; a kind that can't be listed is unchanged."""
        for resource in self._kinds:
            try:
                await self._list(resource)
            except KubeError as error:
                logger.warning("cannot list %s: %s", resource.plural, error)
            except ClusterRestored:
                return  # The operator exits.

    async def prepare(self, resource: Resource) -> int:
        """Before a watch of a kind, as `KindSync.prepare`."""
        self.expect([resource])
        with self._noting(resource):
            return await self._kinds[resource].prepare()

    def expect(self, kinds: Iterable[Resource]) -> None:
        """Measure the silence of the watches of these kinds from now on."""
        for resource in kinds:
            if resource not in self._measured:
                self._measured.add(resource)
                self._kinds[resource].measure_silence()

    def longest_silence(self) -> tuple[float, str]:
        """The longest silence of a watch in seconds, and its kind."""
        kinds = self._measured - self.missing
        return max(
            ((self._kinds[kind].state.silence(), kind.plural) for kind in kinds),
            default=(0.0, ""),
        )

    async def until_restored(self) -> None:
        """Raise ClusterRestored once a restore of etcd is detected."""
        await self._restore_found.wait()
        raise self._restored or ClusterRestored("etcd was restored to an earlier state")

    async def _list(self, resource: Resource) -> None:
        """List a kind; a kind of routes may be missing."""
        try:
            with self._noting(resource):
                await self._kinds[resource].list()
        except (KubeNotFound, KubeRejected):
            if resource not in ROUTED:
                raise

    @contextlib.contextmanager
    def _noting(self, resource: Resource) -> Iterator[None]:
        """Note what a request shows: a restore of etcd, or that a kind of routes is missing."""
        try:
            yield
        except ClusterRestored as error:
            self._restored = error
            self._restore_found.set()
            raise
        except (KubeNotFound, KubeRejected):
            if resource in ROUTED:
                self.missing.add(resource)
            raise
        else:
            self.missing.discard(resource)
