"""What a signed-in user may see and change by the ledger's contracts (pure)."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from roadstead.api.contract.resource_contract import NamespaceScope, ResourceContract
from roadstead.api.object_names import MAX_NAMESPACE, matches_any
from roadstead.policy.chain import Violation
from roadstead.policy.contract.access_policy import AccessFacts, access_violation
from roadstead.policy.contract.contract_policy import Caller, allows

_MAX_SHOWN: Final = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coverage:
    """A user and the contracts for them; with `everything` they see all."""

    caller: Caller
    contracts: tuple[ResourceContract, ...]
    everything: bool = False

    def covers_server(self, namespace: str, contract: str) -> bool:
        """Whether the user may see servers of `contract` in `namespace`.

        The ledger has no labels of namespaces. If a contract selects by labels, its name on the
        server, set by admission, shows that it covers the server.
        """
        if self.everything:
            return True
        found = self.contract(contract)
        return found is not None and _in_namespace(found, namespace).namespaces.covers(
            namespace, {}
        )

    def covers_model(self, name: str) -> bool:
        """Whether the user may see a model, because a contract of theirs allows it."""
        return self.everything or any(matches_any(each.models, name) for each in self.contracts)

    def contract(self, name: str) -> ResourceContract | None:
        """Return a contract of the user by name."""
        return next((each for each in self.contracts if each.meta.name == name), None)

    def selects_namespaces(self) -> bool:
        """Whether a contract for the user selects namespaces by labels."""
        return any(each.namespaces.selector is not None for each in self._contracts_for_caller())

    def namespace_violation(self, namespace: str, labels: Mapping[str, str]) -> Violation | None:
        """Return why the user may not write in that namespace; None if a contract covers it.

        Users who see everything need a contract too.
        """
        own = tuple(self._contracts_for_caller())
        if any(each.namespaces.covers(namespace, labels) for each in own):
            return None
        names = ", ".join(each.meta.name for each in own[:_MAX_SHOWN]) or "none"
        message = (
            f"no contract for {self.caller.subject} covers namespace {namespace[:MAX_NAMESPACE]}; "
            f"use a namespace that one covers (yours: {names})"
        )
        return Violation(reason="NamespaceNotCovered", message=message)

    def _contracts_for_caller(self) -> Iterator[ResourceContract]:
        return (each for each in self.contracts if allows(each, self.caller))

    def violation(self, namespace: str, contract: str, now: datetime.datetime) -> Violation | None:
        """Return why the user may not change or use a server of that contract; None if they may.

        Users who see everything need a contract too.
        """
        found = self.contract(contract)
        return access_violation(
            AccessFacts(
                caller=self.caller,
                namespace=namespace,
                namespace_labels={},
                contract=found and _in_namespace(found, namespace),
                now=now,
            )
        )


def coverage(
    contracts: Iterable[ResourceContract], caller: Caller, *, everything: bool
) -> Coverage:
    """Return the coverage by those of `contracts` that are for the caller, or by all of them."""
    own = [each for each in contracts if everything or allows(each, caller)]
    own.sort(key=lambda each: each.meta.name)
    return Coverage(caller=caller, contracts=tuple(own), everything=everything)


def _in_namespace(contract: ResourceContract, namespace: str) -> ResourceContract:
    """Return the contract, with a selector replaced by this namespace."""
    if contract.namespaces.selector is None:
        return contract
    return dataclasses.replace(contract, namespaces=NamespaceScope(names=(namespace,)))
