"""An index of servers with their contracts and namespaces, from watches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from roadstead.api.group import ANNOTATION_SERVER_ID
from roadstead.api.raw import Raw, section
from roadstead.forwardauth.verdict import Served
from roadstead.kube.field_projection import Keep, Projection
from roadstead.kube.resources import (
    CONFIGMAPS,
    MODELSERVES,
    NAMESPACES,
    RESOURCECONTRACTS,
    Resource,
)
from roadstead.kube.watch_cache import Name, WatchCache

_SERVER: Final = Keep(parts={"spec": ("contract",)}, annotations=frozenset({ANNOTATION_SERVER_ID}))


def _server(raw: Raw) -> dict[str, Any]:
    """Keep the contract, the mode and the metadata of a server."""
    kept, mode = _SERVER(raw), section(raw, "spec", "runtimeParams").get("mode")
    chosen = {"runtimeParams": {"mode": mode}} if mode else {}
    return {**kept, "spec": {**section(kept, "spec"), **chosen}}


KEPT: Final[Mapping[Resource, Projection]] = {
    MODELSERVES: _server,
    RESOURCECONTRACTS: Keep(parts={"spec": None}),
    NAMESPACES: Keep(labels=None),
    CONFIGMAPS: Keep(parts={"data": None}),
}
"""The fields that verdicts use."""


class Servers(WatchCache):
    """A watch cache that also counts the changes that can affect a verdict."""

    def __init__(self) -> None:
        super().__init__(keep=KEPT)
        self.changes = 0
        """A counter that increases with each change, except frequent ones such as of status."""

    def put(self, resource: Resource, raw: Raw) -> bool:
        """As in WatchCache."""
        meta = section(raw, "metadata")
        before = self.get(resource, meta["name"], meta.get("namespace", ""))
        is_stored = super().put(resource, raw)
        if is_stored and (
            before is None or _decisive(resource, before) != _decisive(resource, raw)
        ):
            self.changes += 1
        return is_stored

    def deleted(self, resource: Resource, raw: Raw) -> None:
        """As in WatchCache."""
        super().deleted(resource, raw)
        self.changes += 1

    def remove(self, resource: Resource, name: Name, *, at: int = 0) -> Raw | None:
        """As in WatchCache."""
        self.changes += 1
        return super().remove(resource, name, at=at)

    def drop(self) -> None:
        """As in WatchCache."""
        self.changes += 1
        super().drop()

    def server(self, server_id: str, *, contracts: bool = True) -> Served | None:
        """Return the ModelServe with this server ID; None if it or its namespace is unknown.

        Labels of an unknown namespace are unknown, and a selector may require their absence.
        Without `contracts` neither contract nor labels are returned.
        """
        serve = self.serve_by_id(server_id)
        if serve is None:
            return None
        if not contracts:
            return Served(serve=serve, namespace_labels={}, contract=None)
        home = self.get(NAMESPACES, serve.meta.namespace)
        if home is None:
            return None
        return Served(
            serve=serve,
            namespace_labels=section(home, "metadata", "labels"),
            contract=self.contract(serve.contract) if serve.contract else None,
        )


def _decisive(resource: Resource, raw: Raw) -> tuple[Any, ...]:
    """Return the fields of an object that can affect a verdict."""
    meta, spec = section(raw, "metadata"), section(raw, "spec")
    lasting = meta.get("uid"), meta.get("deletionTimestamp")
    if resource == MODELSERVES:
        mode = section(spec, "runtimeParams").get("mode")
        given = section(meta, "annotations").get(ANNOTATION_SERVER_ID)
        return *lasting, spec.get("contract"), mode, given
    if resource == RESOURCECONTRACTS:
        return *lasting, spec
    if resource == NAMESPACES:
        return *lasting, section(meta, "labels")
    return *lasting, section(raw, "data")
