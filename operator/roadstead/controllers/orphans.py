"""Deletes the children that a deletion with `--cascade=orphan` leaves.

A server without its ModelServe would run outside any contract, and its route and Secrets would
stay forever.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from typing import Final

from roadstead.api.group import LABEL_SERVER_UUID
from roadstead.api.raw import Metadata, Raw, section
from roadstead.api.server_ids import server_id_of
from roadstead.controllers.object_access import ObjectRemover
from roadstead.errors import KubeNotFound
from roadstead.kube.managed_fields import is_managed
from roadstead.kube.ownership import is_orphan
from roadstead.kube.resources import CHILDREN, DEPLOYMENTS, MODELSERVES, ROUTES, SECRETS, Resource
from roadstead.kube.watch_cache import Name, WatchCache
from roadstead.manifests.names import secret_names_of

logger = logging.getLogger(__name__)

ORPHAN_SECONDS: Final = 5.0
"""How long a child has no owner before it is deleted: the watch of its ModelServe may lag."""

_FIRST: Final = (*ROUTES, DEPLOYMENTS)
_LAST: Final = tuple(resource for resource in CHILDREN if resource not in _FIRST)


def orphaned(cache: WatchCache, resource: Resource, raw: Raw) -> Iterator[Name]:
    """The servers (namespace, server ID) that may have lost their ModelServe by this change."""
    meta = section(raw, "metadata")
    if cache.current(resource, raw) is None:
        if resource == MODELSERVES:
            yield meta["namespace"], server_id_of(Metadata.parse(raw))
    elif resource in (*CHILDREN, *ROUTES) and is_orphan(raw, managed=cache.is_managed(raw)):
        yield meta["namespace"], section(meta, "labels")[LABEL_SERVER_UUID]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Orphans:
    """Deletes the children of a deleted ModelServe.

    Secrets are deleted before the last children, whose names determine theirs: after a crash the
    remaining ones are found again.
    """

    client: ObjectRemover
    cache: WatchCache
    pull_secrets: tuple[str, ...] = ()
    """The pull Secrets that are copied for each server."""

    async def reconcile(self, key: Name) -> None:
        """Delete the children of one server, unless its ModelServe exists."""
        namespace, uuid = key
        if self.cache.serve_by_id(uuid) is not None:
            return
        first, last = (list(self._find(kinds, namespace, uuid)) for kinds in (_FIRST, _LAST))
        for resource, child in first:
            await self._delete(resource, child)
        children = {child["metadata"]["name"] for _, child in (*first, *last)}
        secrets = {name for child in children for name in secret_names_of(child, self.pull_secrets)}
        for name in sorted(secrets):
            await self._delete_secret(name, namespace, uuid)
        for resource, child in last:
            await self._delete(resource, child)

    def _find(
        self, kinds: tuple[Resource, ...], namespace: str, uuid: str
    ) -> Iterator[tuple[Resource, Raw]]:
        for resource in kinds:
            for child in self.cache.indexed(resource, uuid):
                orphan = is_orphan(child, managed=self.cache.is_managed(child))
                if orphan and child["metadata"]["namespace"] == namespace:
                    yield resource, child

    async def _delete(self, resource: Resource, child: Raw) -> None:
        meta = child["metadata"]
        name, place = meta["name"], meta["namespace"]
        logger.info("deleting %s %s/%s: its ModelServe was deleted", resource.kind, place, name)
        await self.client.delete(resource, name, namespace=place, uid=meta["uid"])

    async def _delete_secret(self, name: str, namespace: str, uuid: str) -> None:
        """Read a Secret, since Secrets are not watched, and delete it if it is an orphan."""
        try:
            secret = await self.client.get(SECRETS, name, namespace)
        except KubeNotFound:
            return
        labelled = section(secret, "metadata", "labels").get(LABEL_SERVER_UUID) == uuid
        if labelled and is_orphan(secret, managed=is_managed(secret)):
            await self._delete(SECRETS, secret)
