"""Which objects must be reconciled when another one changes."""

from __future__ import annotations

from collections.abc import Iterator

from roadstead.api.group import LABEL_SERVER_UUID
from roadstead.api.modelserve import ModelServe
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
    """Detects changes of a Model that concern its servers, which excludes their number.

    Otherwise each new server of a Model would wake all others.
    """

    def __init__(self) -> None:
        self._last: dict[str, Raw] = {}

    def has_changed(self, cache: WatchCache, raw: Raw) -> bool:
        """Whether this state concerns the servers; called once for each state of a Model."""
        meta = section(raw, "metadata")
        uid = meta.get("uid", "")
        if cache.current(MODELS, raw) is None:
            self._last.pop(uid, None)
            return True
        status = {key: value for key, value in section(raw, "status").items() if key != "servers"}
        state = {**status, "generation": meta.get("generation")}
        state["deleting"] = meta.get("deletionTimestamp")
        before, self._last[uid] = self._last.get(uid), state
        return before != state


def wakeups(cache: WatchCache, resource: Resource, raw: Raw) -> Iterator[Wakeup]:
    """The reconciles after a change of `raw`: its own, and those of objects that depend on it."""
    meta = section(raw, "metadata")
    if resource == MODELS:
        yield MODELS, ("", meta["name"])
        yield from _servers_of(cache, meta["name"], meta.get("uid", ""))
    elif resource == MODELSERVES:
        yield MODELSERVES, (meta["namespace"], meta["name"])
        serve = cache.parse(MODELSERVES, raw)
        if isinstance(serve, ModelServe):
            yield from ((MODELS, name) for name in models_of(cache, serve))
    elif resource == RESOURCECONTRACTS:
        yield RESOURCECONTRACTS, ("", meta["name"])
    elif resource == NAMESPACES:
        # A namespace's labels decide which contracts cover it.
        yield from _serves(cache, by_namespace(meta["name"]))
    else:
        uuid = section(meta, "labels").get(LABEL_SERVER_UUID, "")
        server = cache.serve_by_id(uuid)
        name = (server.meta.namespace, server.meta.name) if server is not None else None
        if name is not None and (resource != PODS or key_of_pod(raw) == pods_key(*name, uuid)):
            yield MODELSERVES, name


def _servers_of(cache: WatchCache, name: str, uid: str) -> Iterator[Wakeup]:
    for key in (by_name(name), by_uuid(uid)):
        yield from _serves(cache, key)


def _serves(cache: WatchCache, key: str) -> Iterator[Wakeup]:
    for serve in cache.indexed_serves(key):
        yield MODELSERVES, (serve.meta.namespace, serve.meta.name)


def models_of(cache: WatchCache, serve: ModelServe) -> Iterator[Name]:
    """The Models of a server, which count their servers."""
    if serve.model_name:
        yield "", serve.model_name
    place = cache.name_of(serve.model_uuid)
    if place is not None:
        yield place
