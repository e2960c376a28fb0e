"""A watch cache with parsed contracts; each version is parsed once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.kube.field_projection import Projection
from roadstead.kube.resources import RESOURCECONTRACTS, Resource
from roadstead.kube.watch_cache import Index, WatchCache


class ContractCache(WatchCache):
    """A WatchCache that returns contracts parsed."""

    def __init__(
        self,
        indexes: Mapping[Resource, Index] | None = None,
        keep: Mapping[Resource, Projection] | None = None,
    ) -> None:
        super().__init__(indexes, keep)
        self._parsed: dict[str, ResourceContract] = {}

    def contract(self, name: str) -> ResourceContract | None:
        """Return the cached ResourceContract, or None."""
        raw = self.get(RESOURCECONTRACTS, name)
        if raw is None:
            self._parsed.pop(name, None)
            return None
        known = self._parsed.get(name)
        if known is None or known.raw is not raw:
            known = self._parsed[name] = ResourceContract.parse(raw)
        return known

    def contracts(self) -> Iterator[ResourceContract]:
        """Yield all cached contracts."""
        for _, name in self.names(RESOURCECONTRACTS):
            if contract := self.contract(name):
                yield contract
