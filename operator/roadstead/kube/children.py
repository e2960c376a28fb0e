"""Bringing the children of an object to what is desired with as few requests as can be."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from roadstead.api.group import ANNOTATION_DIGEST
from roadstead.api.raw import Raw, section
from roadstead.errors import KubeConflict
from roadstead.kube.cache import WatchCache
from roadstead.kube.client import Object
from roadstead.kube.drift import drifted
from roadstead.kube.managed_fields import as_applied
from roadstead.kube.ownership import belongs, owners, taken
from roadstead.kube.resources import CHILDREN, DEPLOYMENTS, ROUTES, Resource, resource_of

logger = logging.getLogger(__name__)


class ChildWriter(Protocol):
    """The part of the client that children need."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; KubeNotFound if it is not there."""

    async def create(self, resource: Resource, body: Raw) -> Object:
        """Create; KubeConflict if it is there."""

    async def apply(self, resource: Resource, body: Raw) -> Object:
        """Server-side apply."""

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        """Merge patch."""

    async def delete(
        self, resource: Resource, name: str, *, namespace: str = "", uid: str = ""
    ) -> None:
        """Delete; no error if it is gone."""


class Children:
    """Creates, applies and prunes children, looked up in the watch cache.

    The first write of a child is a plain create, which costs the API server less than an apply.
    Later ones are an apply, and only when the digest of what is rendered differs, or when a
    version of the child that was not looked at before has drifted. What the API server makes of
    our own apply counts as looked at, so a value that it writes in another form ("1000m" as "1")
    does not start a loop.

    Before the first apply, what the create set is made to count as applied: else a field that is
    wanted no more would stay.
    """

    def __init__(self, client: ChildWriter, cache: WatchCache) -> None:
        self._client = client
        self._cache = cache
        self._settled: dict[str, str] = {}
        self._applied: set[str] = set()

    async def bring(self, desired: Iterable[Raw], *, server_uuid: str) -> int:
        """Make the children of one server as desired; the number of writes.

        Raises KubeRejected where a name is taken by something that is not this server's.
        """
        writes = 0
        wanted = set()
        for manifest in desired:
            resource = resource_of(manifest)
            wanted.add((resource, manifest["metadata"]["name"]))
            writes += await self._bring_one(resource, manifest, server_uuid)
        return writes + await self._prune(wanted, server_uuid)

    async def stop(self, deployment: Raw) -> None:
        """Scale a Deployment to zero and leave all else of it as it is."""
        meta = deployment["metadata"]
        body = {
            "metadata": {"resourceVersion": meta["resourceVersion"]},
            "spec": {"replicas": 0},
        }
        answer = await self._client.patch(
            DEPLOYMENTS, meta["name"], body, namespace=meta["namespace"]
        )
        self._cache.put(DEPLOYMENTS, answer)

    def forget(self, uid: str) -> None:
        """Forget a child that is gone."""
        self._applied.discard(uid)
        self._settled.pop(uid, None)

    async def _bring_one(self, resource: Resource, manifest: Raw, server_uuid: str) -> int:
        meta = manifest["metadata"]
        observed = self._cache.get(resource, meta["name"], meta.get("namespace", ""))
        if observed is None:
            answer = await self._create(resource, manifest, server_uuid)
        elif not belongs(observed, server_uuid):
            raise taken(manifest, observed)
        elif self._settles(manifest, observed):
            return 0
        else:
            answer = await self._apply(resource, manifest, observed)
        self._cache.put(resource, answer)
        self._settled[answer["metadata"]["uid"]] = _fingerprint(answer)
        return 1

    async def _create(self, resource: Resource, manifest: Raw, server_uuid: str) -> Object:
        try:
            return await self._client.create(resource, manifest)
        except KubeConflict:
            meta = manifest["metadata"]
            observed = await self._client.get(resource, meta["name"], meta["namespace"])
            if not belongs(observed, server_uuid):
                raise taken(manifest, observed) from None
            return await self._apply(resource, manifest, observed)

    async def _apply(self, resource: Resource, manifest: Raw, observed: Raw) -> Object:
        uid = observed["metadata"]["uid"]
        if uid not in self._applied:
            await self._own_by_apply(resource, manifest["metadata"])
        answer = await self._client.apply(resource, manifest)
        self._applied.add(uid)
        return answer

    async def _own_by_apply(self, resource: Resource, meta: Raw) -> None:
        name, place = meta["name"], meta["namespace"]
        live = await self._client.get(resource, name, place)
        fields = as_applied(live)
        if fields is not None:
            version = live["metadata"]["resourceVersion"]
            body = {"metadata": {"resourceVersion": version, "managedFields": fields}}
            await self._client.patch(resource, name, body, namespace=place)

    def _settles(self, manifest: Raw, observed: Raw) -> bool:
        if _digest(manifest) != _digest(observed):
            return False
        meta = observed["metadata"]
        if self._settled.get(meta["uid"]) == _fingerprint(observed):
            return True
        if drifted(manifest, observed):
            logger.info("%s %s was changed by others", observed["kind"], meta["name"])
            return False
        self._settled[meta["uid"]] = _fingerprint(observed)
        return True

    async def _prune(self, wanted: set[tuple[Resource, str]], server_uuid: str) -> int:
        surplus = [
            (resource, child["metadata"])
            for resource in (*CHILDREN, *ROUTES)
            for child in self._cache.indexed(resource, server_uuid)
            if (resource, child["metadata"]["name"]) not in wanted
            and server_uuid in owners(child)
            and not child["metadata"].get("deletionTimestamp")
        ]
        for resource, meta in surplus:
            place = meta["namespace"]
            await self._client.delete(resource, meta["name"], namespace=place, uid=meta["uid"])
        return len(surplus)


def _digest(raw: Raw) -> str:
    return str(section(raw, "metadata", "annotations").get(ANNOTATION_DIGEST, ""))


def _fingerprint(raw: Raw) -> str:
    """Changes with all that a person could change of a child, not with its status.

    A Deployment counts its spec's changes in `generation`; labels and annotations, and the spec of
    kinds without a generation, show in the resourceVersion only.
    """
    meta = raw["metadata"]
    if "generation" in meta:
        labels = sorted(section(meta, "labels").items())
        return f"{meta['generation']}{labels}{_digest(raw)}{meta.get('ownerReferences')}"
    return str(meta["resourceVersion"])
