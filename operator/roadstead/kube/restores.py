"""Whether a list shows that the cluster's state went back, as it does after a restore of etcd.

Lists are asked for without a resourceVersion, so each is at least as new as all that was read
before it. Versions are compared within one kind only (KEP-5504).
"""

from __future__ import annotations

from typing import Final

from roadstead.api.raw import Raw, section
from roadstead.errors import ClusterRestored, KubeUnavailable
from roadstead.kube.resources import NAMESPACES, Resource
from roadstead.kube.watch_cache import WatchCache, uid_of, version

CLUSTER_NAMESPACE: Final = "kube-system"
"""It can't be deleted, so its UID is that of the cluster."""


def require_as_new(resource: Resource, listed: int, seen: int) -> None:
    """Raise ClusterRestored where a list's version is below `seen`, the highest before it."""
    if listed < seen:
        raise ClusterRestored(
            f"the list of {resource.plural} is at version {listed}, below {seen}, which was seen "
            "before: the cluster's state went back, as after a restore of etcd"
        )


def require_consistent(cache: WatchCache, resource: Resource, raw: Raw, listed: int) -> None:
    """Raise ClusterRestored where a list of version `listed` shows an object as it can't be.

    Its version is below one that was seen up to `listed`, or it was deleted by then. That shows a
    restore even where the versions were raised, or have caught up since.
    """
    meta = section(raw, "metadata")
    name, uid = str(meta.get("name", "")), uid_of(raw)
    before = cache.get(resource, name, str(meta.get("namespace", "")))
    if before is not None:
        if version(raw) < version(before) <= listed:
            raise _contradiction(resource, name, f"version {version(before)} was seen")
        if resource == NAMESPACES and name == CLUSTER_NAMESPACE and uid_of(before) != uid:
            raise _contradiction(resource, name, f"the UID {uid_of(before)} was seen")
    if version(raw) <= cache.deleted_at(uid) <= listed:
        raise _contradiction(resource, name, f"it was deleted at {cache.deleted_at(uid)}")


def require_complete(cache: WatchCache) -> None:
    """Raise KubeUnavailable while a kind that was dropped has not been listed again."""
    if cache.dropped:
        kinds = ", ".join(sorted(each.plural for each in cache.dropped))
        raise KubeUnavailable(f"the caches were dropped; {kinds} are being listed again")


def _contradiction(resource: Resource, name: str, before: str) -> ClusterRestored:
    return ClusterRestored(
        f"{resource.plural} {name!r} is not as it was ({before} before): the cluster's state went "
        "back, as after a restore of etcd, or this is another cluster"
    )
