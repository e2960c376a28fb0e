"""Bringing the children of an object to what is desired with as few requests as can be."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from roadstead.api.group import ANNOTATION_DIGEST
from roadstead.api.raw import Raw, section
from roadstead.errors import KubeConflict
from roadstead.kube.drift import drifted, has_surplus, without_surplus
from roadstead.kube.kube_client import Object
from roadstead.kube.managed_fields import as_applied, is_managed
from roadstead.kube.ownership import Ownership, owners, ownership, taken
from roadstead.kube.resources import CHILDREN, DEPLOYMENTS, ROUTES, Resource, resource_of
from roadstead.kube.watch_cache import WatchCache

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

    An object is a child if it has the owner reference and an entry of our field manager, or if its
    UID is known from an earlier write or look at it. Of routes every field counts: one that others
    have added to the spec, such as a certificate, is removed.
    """

    def __init__(self, client: ChildWriter, cache: WatchCache) -> None:
        self._client = client
        self._cache = cache
        self._settled: dict[str, tuple[str, str]] = {}
        """By the UID of a child: the UUID of its server, and its fingerprint."""
        self._applied: set[str] = set()

    async def apply(self, desired: Iterable[Raw], *, server_uuid: str) -> int:
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

    def owns(self, cached: Raw, server_uuid: str) -> bool:
        """Whether an object in the cache is a child of this server."""
        managed = self._cache.is_managed(cached)
        return self._ownership(cached, server_uuid, managed=managed) is Ownership.OURS

    async def scale(self, deployment: Raw, replicas: int) -> None:
        """Scale a Deployment and leave all else of it as it is."""
        meta = deployment["metadata"]
        body = {
            "metadata": {"resourceVersion": meta["resourceVersion"]},
            "spec": {"replicas": replicas},
        }
        answer = await self._client.patch(
            DEPLOYMENTS, meta["name"], body, namespace=meta["namespace"]
        )
        self._cache.put(DEPLOYMENTS, answer)

    def forget(self, uid: str) -> None:
        """Forget a child that is gone."""
        self._applied.discard(uid)
        self._settled.pop(uid, None)

    def _ownership(self, observed: Raw, server_uuid: str, *, managed: bool) -> Ownership:
        known = self._settled.get(observed["metadata"]["uid"])
        if known is not None and known[0] == server_uuid:
            return Ownership.OURS
        return ownership(observed, server_uuid, managed=managed)

    async def _bring_one(self, resource: Resource, manifest: Raw, server_uuid: str) -> int:
        meta = manifest["metadata"]
        observed = self._cache.get(resource, meta["name"], meta.get("namespace", ""))
        if observed is None:
            answer = await self._create(resource, manifest, server_uuid)
        elif not self.owns(observed, server_uuid):
            answer = await self._resolve(resource, manifest, server_uuid)
        elif self._settles(resource, manifest, observed, server_uuid):
            return 0
        else:
            answer = await self._apply(resource, manifest, observed)
        self._cache.put(resource, answer)
        self._settled[answer["metadata"]["uid"]] = server_uuid, _fingerprint(answer)
        return 1

    async def _create(self, resource: Resource, manifest: Raw, server_uuid: str) -> Object:
        try:
            return await self._client.create(resource, manifest)
        except KubeConflict:
            return await self._resolve(resource, manifest, server_uuid)

    async def _resolve(self, resource: Resource, manifest: Raw, server_uuid: str) -> Object:
        """Apply to, replace or refuse the object that has the name, as it is now."""
        meta = manifest["metadata"]
        name, place = meta["name"], meta["namespace"]
        live = await self._client.get(resource, name, place)
        found = self._ownership(live, server_uuid, managed=is_managed(live))
        if found is Ownership.OURS:
            return await self._apply(resource, manifest, live)
        if found is Ownership.OTHERS:
            raise taken(manifest, live)
        logger.warning("%s %s/%s is no longer ours; replacing it", resource.kind, place, name)
        uid = live["metadata"]["uid"]
        await self._client.delete(resource, name, namespace=place, uid=uid)
        return await self._client.create(resource, manifest)

    async def _apply(self, resource: Resource, manifest: Raw, observed: Raw) -> Object:
        if resource in ROUTES:
            return await self._replace(resource, manifest, observed)
        uid = observed["metadata"]["uid"]
        if uid not in self._applied:
            await self._own_by_apply(resource, manifest["metadata"])
        answer = await self._client.apply(resource, manifest)
        self._applied.add(uid)
        return answer

    async def _replace(self, resource: Resource, manifest: Raw, observed: Raw) -> Object:
        """Make a route the same as its manifest; an apply would leave what others have set."""
        wanted = manifest["metadata"]
        kept = ("labels", "annotations", "ownerReferences")
        body = {
            "metadata": {
                "resourceVersion": observed["metadata"]["resourceVersion"],
                **{name: wanted[name] for name in kept},
            },
            "spec": without_surplus(manifest["spec"], observed.get("spec")),
        }
        name, place = wanted["name"], wanted["namespace"]
        return await self._client.patch(resource, name, body, namespace=place)

    async def _own_by_apply(self, resource: Resource, meta: Raw) -> None:
        name, place = meta["name"], meta["namespace"]
        live = await self._client.get(resource, name, place)
        fields = as_applied(live)
        if fields is not None:
            version = live["metadata"]["resourceVersion"]
            body = {"metadata": {"resourceVersion": version, "managedFields": fields}}
            await self._client.patch(resource, name, body, namespace=place)

    def _settles(self, resource: Resource, manifest: Raw, observed: Raw, server_uuid: str) -> bool:
        if _digest(manifest) != _digest(observed):
            return False
        meta = observed["metadata"]
        known = server_uuid, _fingerprint(observed)
        if self._settled.get(meta["uid"]) == known:
            return True
        surplus = resource in ROUTES and _has_surplus(manifest, observed)
        if surplus or drifted(manifest, observed):
            logger.info("%s %s was changed by others", observed["kind"], meta["name"])
            return False
        self._settled[meta["uid"]] = known
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


def _has_surplus(manifest: Raw, observed: Raw) -> bool:
    return has_surplus(manifest.get("spec"), observed.get("spec"))


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
