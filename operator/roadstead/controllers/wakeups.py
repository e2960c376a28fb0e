"""Which objects have to be looked at again when another one changed."""

from __future__ import annotations

from collections.abc import Iterator

from roadstead.api.group import LABEL_SERVER_UUID
from roadstead.api.raw import Raw, section
from roadstead.api.references import by_name, by_namespace, by_uuid
from roadstead.controllers.server_pods import key_of_pod, pods_key
from roadstead.kube.resources import (
    MODELS,
    MODELSERVES,
    NAMESPACES,
    PODS,
    RESOURCECONTRACTS,
    Resource,
)
from roadstead.kube.watch_cache import Name, WatchCache

Wakeup = tuple[Resource, Name]


class ModelNews:
    """Whether a Model says anything new to its servers: not, if only their number is another.

    Else each new server of a Model would wake all the others.
    """

    def __init__(self) -> None:
        self._told: dict[str, Raw] = {}

    def there_is(self, cache: WatchCache, raw: Raw) -> bool:
        """Asked once for each state of a Model."""
        meta = section(raw, "metadata")
        uid = meta.get("uid", "")
        if cache.current(MODELS, raw) is None:
            self._told.pop(uid, None)
            return True
        status = {key: value for key, value in section(raw, "status").items() if key != "servers"}
        said = {**status, "generation": meta.get("generation")}
        said["deleting"] = meta.get("deletionTimestamp")
        before, self._told[uid] = self._told.get(uid), said
        return before != said


def wakeups(cache: WatchCache, resource: Resource, raw: Raw) -> Iterator[Wakeup]:
    """The reconciles that a change of `raw` asks for: its own, and those that depend on it."""
    meta = section(raw, "metadata")
    if resource == MODELS:
        yield MODELS, ("", meta["name"])
        yield from _servers_of(cache, meta["name"], meta.get("uid", ""))
    elif resource == MODELSERVES:
        yield MODELSERVES, (meta["namespace"], meta["name"])
        yield from _models_of(cache, raw)
    elif resource == RESOURCECONTRACTS:
        yield RESOURCECONTRACTS, ("", meta["name"])
    elif resource == NAMESPACES:
        # Its labels decide which contracts cover it.
        yield from _serves(cache, by_namespace(meta["name"]))
    else:
        uuid = section(meta, "labels").get(LABEL_SERVER_UUID, "")
        name = cache.name_of(uuid)
        if name is not None and (resource != PODS or key_of_pod(raw) == pods_key(*name, uuid)):
            yield MODELSERVES, name


def _servers_of(cache: WatchCache, name: str, uid: str) -> Iterator[Wakeup]:
    for key in (by_name(name), by_uuid(uid)):
        yield from _serves(cache, key)


def _serves(cache: WatchCache, key: str) -> Iterator[Wakeup]:
    for raw in cache.indexed(MODELSERVES, key):
        meta = section(raw, "metadata")
        yield MODELSERVES, (meta["namespace"], meta["name"])


def _models_of(cache: WatchCache, serve: Raw) -> Iterator[Wakeup]:
    """A Model counts its servers."""
    spec = section(serve, "spec")
    if name := spec.get("modelName"):
        yield MODELS, ("", name)
    place = cache.name_of(spec.get("modelUuid", ""))
    if place is not None:
        yield MODELS, place
