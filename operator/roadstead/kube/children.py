"""Creates, updates and deletes the children of an object with as few requests as possible."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from roadstead.api.group import ANNOTATION_DIGEST, LABEL_SERVER_UUID
from roadstead.api.raw import Raw, section
from roadstead.errors import KubeConflict
from roadstead.kube.drift import drifted, has_surplus, without_surplus
from roadstead.kube.kube_client import Object, Page
from roadstead.kube.managed_fields import as_applied, is_managed
from roadstead.kube.ownership import Ownership, name_taken_error, owners, ownership
from roadstead.kube.resources import (
    CHILDREN,
    DEPLOYMENTS,
    MODELSERVES,
    ROUTES,
    Resource,
    resource_of,
)
from roadstead.kube.watch_cache import WatchCache

logger = logging.getLogger(__name__)


class ChildWriter(Protocol):
    """The methods of the API client that this module uses."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; raises KubeNotFound if it does not exist."""

    def list(
        self, resource: Resource, *, selector: str = "", namespace: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """All objects of a kind at one version, in pages."""

    async def create(self, resource: Resource, body: Raw) -> Object:
        """Create an object; raises KubeConflict if it exists."""

    async def apply(self, resource: Resource, body: Raw) -> Object:
        """Apply an object (server-side apply)."""

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        """Apply a merge patch."""

    async def delete(
        self, resource: Resource, name: str, *, namespace: str = "", uid: str = ""
    ) -> None:
        """Delete an object; a missing one is not an error."""


class Children:
    """Creates, applies and prunes children, based on the watch cache.

    The first write of a child is a create, which is cheaper for the API server than an apply.
    Later writes are an apply, and only if the digest of the rendered object differs or a new
    version of the child has drifted. The API server's response to our own apply counts as correct,
    so a value that it normalizes ("1000m" to "1") does not cause a loop.

    Before the first apply, the fields of the create are converted to applied fields: otherwise a
    field that is no longer desired would stay.

    An object is a child if it has the owner reference and an entry of our field manager, or if its
    UID is known from an earlier write or check. In routes all fields are compared: a field that
    others have added to the spec, such as a certificate, is removed.
    """

    def __init__(self, client: ChildWriter, cache: WatchCache) -> None:
        self._client = client
        self._cache = cache
        self._settled: dict[str, tuple[str, str]] = {}
        """The UUID of its server and the fingerprint of each child, by the child's UID."""
        self._applied: set[str] = set()

    async def apply(self, desired: Iterable[Raw], *, server_uuid: str, server_id: str = "") -> int:
        """Write the children of one server as desired; returns the number of writes.

        `server_uuid` is the UID of the ModelServe, `server_id` its server ID, if that is another.
        Raises NameTaken, a KubeRejected, if another owner's object has a name, and KubeConflict if
        the ModelServe is being deleted.
        """
        writes = 0
        wanted = set()
        for manifest in desired:
            resource = resource_of(manifest)
            wanted.add((resource, manifest["metadata"]["name"]))
            writes += await self._ensure(resource, manifest, server_uuid)
        return writes + await self._prune(wanted, server_uuid, server_id or server_uuid)

    def owns(self, cached: Raw, server_uuid: str) -> bool:
        """Whether an object in the cache is a child of this server."""
        managed = self._cache.is_managed(cached)
        return self._ownership(cached, server_uuid, managed=managed) is Ownership.OURS

    async def scale(self, deployment: Raw, replicas: int) -> None:
        """Scale a Deployment and change nothing else."""
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
        """Forget a deleted child."""
        self._applied.discard(uid)
        self._settled.pop(uid, None)

    def _ownership(
        self, observed: Raw, server_uuid: str, *, managed: bool, server_id: str = ""
    ) -> Ownership:
        known = self._settled.get(observed["metadata"]["uid"])
        if known is not None and known[0] == server_uuid:
            return Ownership.OURS
        return ownership(observed, server_uuid, managed=managed, server_id=server_id)

    async def _ensure(self, resource: Resource, manifest: Raw, server_uuid: str) -> int:
        meta = manifest["metadata"]
        observed = self._cache.get(resource, meta["name"], meta.get("namespace", ""))
        if observed is None:
            answer = await self._create(resource, manifest, server_uuid)
        elif not self.owns(observed, server_uuid):
            answer = await self._resolve(resource, manifest, server_uuid)
        elif self._is_current(resource, manifest, observed, server_uuid):
            return 0
        else:
            await self._require_wanted(manifest, observed, server_uuid)
            answer = await self._apply(resource, manifest, observed)
        self._cache.put(resource, answer)
        self._settled[answer["metadata"]["uid"]] = server_uuid, _fingerprint(answer)
        return 1

    async def _require_wanted(self, manifest: Raw, observed: Raw, server_uuid: str) -> None:
        """Raise KubeConflict if a child lost its owner because the ModelServe is being deleted.

        A deletion with `--cascade=orphan` removes the owner from all children, and their events may
        arrive before that of the ModelServe. Children that were owned again would be deleted by the
        garbage collector, and then nothing would lead to the Secrets, which are not watched.
        """
        if server_uuid in owners(observed):
            return
        meta = manifest["metadata"]
        name = owners(manifest)[server_uuid]
        # The operator may list ModelServes and not get one.
        pages = self._client.list(
            MODELSERVES, namespace=meta["namespace"], fields=f"metadata.name={name}"
        )
        found = [item["metadata"] async for page in pages for item in page.items]
        stays = {each["uid"] for each in found if not each.get("deletionTimestamp")}
        if server_uuid not in stays:
            raise KubeConflict(f"ModelServe {meta['namespace']}/{name} is being deleted")

    async def _create(self, resource: Resource, manifest: Raw, server_uuid: str) -> Object:
        try:
            return await self._client.create(resource, manifest)
        except KubeConflict:
            return await self._resolve(resource, manifest, server_uuid)

    async def _resolve(self, resource: Resource, manifest: Raw, server_uuid: str) -> Object:
        """Apply to, replace or refuse the live object that has the name."""
        meta = manifest["metadata"]
        name, place = meta["name"], meta["namespace"]
        live = await self._client.get(resource, name, place)
        label = str(section(manifest, "metadata", "labels").get(LABEL_SERVER_UUID, ""))
        found = self._ownership(live, server_uuid, managed=is_managed(live), server_id=label)
        if found is Ownership.OURS:
            return await self._apply(resource, manifest, live)
        if found is Ownership.OTHERS:
            raise name_taken_error(manifest, live)
        await self._require_wanted(manifest, live, server_uuid)
        message = "replacing %s %s/%s: it lacks our owner reference or field manager"
        logger.warning(message, resource.kind, place, name)
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
        """Replace a route by its manifest; an apply would keep the fields that others have set."""
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

    def _is_current(
        self, resource: Resource, manifest: Raw, observed: Raw, server_uuid: str
    ) -> bool:
        if _digest(manifest) != _digest(observed):
            return False
        meta = observed["metadata"]
        known = server_uuid, _fingerprint(observed)
        if self._settled.get(meta["uid"]) == known:
            return True
        surplus = resource in ROUTES and _has_surplus(manifest, observed)
        if surplus or drifted(manifest, observed):
            logger.info("%s %s was changed by another client", observed["kind"], meta["name"])
            return False
        self._settled[meta["uid"]] = known
        return True

    async def _prune(
        self, wanted: set[tuple[Resource, str]], server_uuid: str, server_id: str
    ) -> int:
        surplus = [
            (resource, child["metadata"])
            for resource in (*CHILDREN, *ROUTES)
            for child in self._cache.indexed(resource, server_id)
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
    """A value that changes with everything that a user may change of a child, not with its status.

    The generation of a Deployment counts the changes of its spec. Kinds without a generation are
    identified by their resourceVersion.
    """
    meta = raw["metadata"]
    if "generation" in meta:
        labels = sorted(section(meta, "labels").items())
        return f"{meta['generation']}{labels}{_digest(raw)}{meta.get('ownerReferences')}"
    return str(meta["resourceVersion"])
