"""The requested state, as a model to compare the cluster with: pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

DEFAULT_CONTEXT: Final = 4096


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """A requested ModelServe."""

    model: str
    contract: str
    replicas: int = 1
    context: int = DEFAULT_CONTEXT


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contract:
    """Replicas that one server may have, and whether a larger one is drained."""

    replicas: int
    drains: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """The expected state of a server.

    `replicas` is None if it has no Deployment or an earlier one of any size; `accepted` is whether
    its contract covers it.
    """

    accepted: bool
    replicas: int | None
    context: int | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """Models, servers and contracts by name; each change returns a new instance."""

    models: frozenset[str] = frozenset()
    servers: Mapping[str, Server] = dataclasses.field(default_factory=dict)
    contracts: Mapping[str, Contract] = dataclasses.field(default_factory=dict)

    def with_model(self, name: str) -> Wanted:
        """Add a Model."""
        return dataclasses.replace(self, models=self.models | {name})

    def without_model(self, name: str) -> Wanted:
        """Remove a Model."""
        return dataclasses.replace(self, models=self.models - {name})

    def with_server(self, name: str, server: Server) -> Wanted:
        """Add or replace a server."""
        return dataclasses.replace(self, servers={**self.servers, name: server})

    def without_server(self, name: str) -> Wanted:
        """Remove a server."""
        rest = {key: server for key, server in self.servers.items() if key != name}
        return dataclasses.replace(self, servers=rest)

    def with_contract(self, name: str, contract: Contract) -> Wanted:
        """Add or replace a contract."""
        return dataclasses.replace(self, contracts={**self.contracts, name: contract})

    def without_contract(self, name: str) -> Wanted:
        """Remove a contract."""
        rest = {key: contract for key, contract in self.contracts.items() if key != name}
        return dataclasses.replace(self, contracts=rest)

    def users(self, model: str) -> frozenset[str]:
        """The servers of a Model, which prevent its deletion."""
        return frozenset(name for name, each in self.servers.items() if each.model == model)

    def shown(self, name: str, *, runs: bool) -> Shown:
        """The expected state of a server; `runs` is whether it has a Deployment.

        A server that its contract does not cover is drained, or continues unchanged, or is not
        started.
        """
        server = self.servers[name]
        contract = self.contracts.get(server.contract)
        if contract is not None and server.replicas <= contract.replicas:
            return Shown(accepted=True, replicas=server.replicas, context=server.context)
        drained = contract is not None and contract.drains and runs
        return Shown(accepted=False, replicas=0 if drained else None, context=None)
