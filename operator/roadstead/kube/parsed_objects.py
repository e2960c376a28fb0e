"""The objects of our kinds, parsed once: when they enter a watch cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        self._by_kind: dict[Resource, dict[tuple[str, str], Any]] = {
            MODELS: self.models,
            MODELSERVES: self.serves,
            RESOURCECONTRACTS: self.contracts,
        }

    def put(self, resource: Resource, name: tuple[str, str], raw: Raw) -> None:
        """Parse an object that enters the cache."""
        if resource in _PARSERS:
            self._by_kind[resource][name] = parse(resource, raw)

    def drop(self, resource: Resource, name: tuple[str, str]) -> None:
        """Forget an object that leaves the cache."""
        if resource in _PARSERS:
            self._by_kind[resource].pop(name, None)

    def get(self, resource: Resource, name: tuple[str, str]) -> Parsed | None:
        """An object of one of our kinds; None of others."""
        found: Parsed | None = self._by_kind.get(resource, {}).get(name)
        return found

    def all(self, resource: Resource) -> list[Parsed]:
        """All objects of one of our kinds."""
        return list(self._by_kind[resource].values())


def parse(resource: Resource, raw: Raw) -> Parsed:
    """Parse an object of one of our kinds; never raises for an object of the API server."""
    return _PARSERS[resource](raw)
