"""The objects of our kinds, parsed once: when they enter a watch cache."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw
from roadstead.kube.resources import MODELS, MODELSERVES, RESOURCECONTRACTS, Resource

Parsed = Model | ModelServe | ResourceContract
"""An object of one of our kinds; what is invalid in it is in its `faults`."""

_PARSERS: Final[Mapping[Resource, Callable[[Raw], Parsed]]] = {
    MODELS: Model.parse,
    MODELSERVES: ModelServe.parse,
    RESOURCECONTRACTS: ResourceContract.parse,
}


class ParsedObjects:
    """The parsed objects by (namespace, name). Objects of other kinds are not kept."""

    def __init__(self) -> None:
        self.models: dict[tuple[str, str], Model] = {}
        self.serves: dict[tuple[str, str], ModelServe] = {}
        self.contracts: dict[tuple[str, str], ResourceContract] = {}
        self._servers: dict[str, set[tuple[str, str]]] = defaultdict(set)
        """The names of the ModelServes by server ID and by UID."""
        self._by_kind: dict[Resource, dict[tuple[str, str], Any]] = {
            MODELS: self.models,
            MODELSERVES: self.serves,
            RESOURCECONTRACTS: self.contracts,
        }

    def put(self, resource: Resource, name: tuple[str, str], raw: Raw) -> None:
        """Parse an object that enters the cache."""
        if resource in _PARSERS:
            found = self._by_kind[resource][name] = parse(resource, raw)
            for server_id in _server_ids(found):
                self._servers[server_id].add(name)

    def drop(self, resource: Resource, name: tuple[str, str]) -> None:
        """Forget an object that leaves the cache."""
        if resource in _PARSERS:
            found = self._by_kind[resource].pop(name, None)
            for server_id in _server_ids(found):
                self._servers[server_id].discard(name)
                if not self._servers[server_id]:
                    del self._servers[server_id]

    def claimants(self, server_id: str) -> Iterator[ModelServe]:
        """The ModelServes with this server ID or UID; admission allows one."""
        for name in sorted(self._servers.get(server_id, ())):
            yield self.serves[name]

    def get(self, resource: Resource, name: tuple[str, str]) -> Parsed | None:
        """An object of one of our kinds; None of others."""
        found: Parsed | None = self._by_kind.get(resource, {}).get(name)
        return found

    def all(self, resource: Resource) -> list[Parsed]:
        """All objects of one of our kinds."""
        return list(self._by_kind[resource].values())


def _server_ids(found: Parsed | None) -> set[str]:
    return {found.server_id, found.meta.uid} if isinstance(found, ModelServe) else set()


def parse(resource: Resource, raw: Raw) -> Parsed:
    """Parse an object of one of our kinds; never raises for an object of the API server."""
    return _PARSERS[resource](raw)
