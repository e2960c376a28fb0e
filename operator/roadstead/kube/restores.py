"""Detects from lists that etcd was restored to an earlier state.

Lists are requested without a resourceVersion, so each is at least as new as everything that was
read before. Versions are compared within one kind only (KEP-5504).
"""

from __future__ import annotations

from typing import Final

from roadstead.api.raw import Raw, section
from roadstead.errors import ClusterRestored, KubeUnavailable
from roadstead.kube.resources import NAMESPACES, Resource
from roadstead.kube.watch_cache import WatchCache, uid_of, version

CLUSTER_NAMESPACE: Final = "kube-system"
"""This namespace can't be deleted, so its UID identifies the cluster."""


def require_as_new(resource: Resource, listed: int, seen: int) -> None:
    """Raise ClusterRestored if a list's version is below `seen`, the highest version before it."""
    if listed < seen:
        raise ClusterRestored(
            f"the list of {resource.plural} is at version {listed}, below version {seen} that was "
            "read before: etcd was restored to an earlier state"
        )


def require_consistent(cache: WatchCache, resource: Resource, raw: Raw, listed: int) -> None:
    """Raise ClusterRestored if an object in a list of version `listed` contradicts the cache.

    Its version is below one that was read up to `listed`, or it was deleted by then. That shows a
    restore even if the versions were raised or have caught up since.
    """
    meta = section(raw, "metadata")
    name, uid = str(meta.get("name", "")), uid_of(raw)
    before = cache.get(resource, name, str(meta.get("namespace", "")))
    if before is not None:
        if version(raw) < version(before) <= listed:
            raise _contradiction(resource, name, f"version {version(before)} was read before")
        if resource == NAMESPACES and name == CLUSTER_NAMESPACE and uid_of(before) != uid:
            raise _contradiction(resource, name, f"it had the UID {uid_of(before)} before")
    if version(raw) <= cache.deleted_at(uid) <= listed:
        raise _contradiction(resource, name, f"it was deleted at {cache.deleted_at(uid)}")


def require_complete(cache: WatchCache) -> None:
    """Raise KubeUnavailable while a kind that was dropped has not been listed again."""
    if cache.dropped:
        kinds = ", ".join(sorted(each.plural for each in cache.dropped))
        raise KubeUnavailable(f"the caches were dropped; {kinds} are being listed again")


def _contradiction(resource: Resource, name: str, before: str) -> ClusterRestored:
    return ClusterRestored(
        f"{resource.plural} {name!r} contradicts the cache ({before}): etcd was restored to an "
        "earlier state, or this is another cluster"
    )
