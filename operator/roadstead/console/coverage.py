"""What a signed-in person may see and change: what the ledger's contracts cover (pure)."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from roadstead.api.contract import NamespaceScope, ResourceContract
from roadstead.api.globs import matches_any
from roadstead.api.object_names import MAX_NAMESPACE
from roadstead.policy.access_policy import AccessFacts, access_violation
from roadstead.policy.chain import Violation
from roadstead.policy.contract_policy import Caller, allows

_SHOWN: Final = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coverage:
    """Somebody, and the contracts that are for him; `everything` for those who see all."""

    caller: Caller
    contracts: tuple[ResourceContract, ...]
    everything: bool = False

    def place(self, namespace: str, contract: str) -> bool:
        """Whether servers of `contract` in `namespace` are his to see.

        The labels of namespaces are not in the ledger: where a contract selects by them, its name
        on the server, which admission has put there, says that it covers it.
        """
        if self.everything:
            return True
        found = self.contract(contract)
        return found is not None and _in_namespace(found, namespace).namespaces.covers(
            namespace, {}
        )

    def model(self, name: str) -> bool:
        """Whether a model is his to see: one that a contract of his lets be served."""
        return self.everything or any(matches_any(each.models, name) for each in self.contracts)

    def contract(self, name: str) -> ResourceContract | None:
        """A contract of his by name."""
        return next((each for each in self.contracts if each.meta.name == name), None)

    def selects_namespaces(self) -> bool:
        """Whether the labels of a namespace matter: a contract for him selects by them."""
        return any(each.namespaces.selector is not None for each in self._own())

    def namespace_violation(self, namespace: str, labels: Mapping[str, str]) -> Violation | None:
        """Why he may not change anything in that namespace; None if a contract of his covers it.

        Who sees everything may not therefore change it.
        """
        own = tuple(self._own())
        if any(each.namespaces.covers(namespace, labels) for each in own):
            return None
        names = ", ".join(each.meta.name for each in own[:_SHOWN]) or "none"
        message = (
            f"no contract for {self.caller.subject} covers namespace {namespace[:MAX_NAMESPACE]}; "
            f"use a namespace that one covers (yours: {names})"
        )
        return Violation(reason="NamespaceNotCovered", message=message)

    def _own(self) -> Iterator[ResourceContract]:
        return (each for each in self.contracts if allows(each, self.caller))

    def violation(self, namespace: str, contract: str, now: datetime.datetime) -> Violation | None:
        """Why he may not change or use a server of that contract; None if he may.

        Who sees everything may not therefore change it.
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
    """Of all `contracts`, those that are for the caller; all of them for who sees everything."""
    own = [each for each in contracts if everything or allows(each, caller)]
    own.sort(key=lambda each: each.meta.name)
    return Coverage(caller=caller, contracts=tuple(own), everything=everything)


def _in_namespace(contract: ResourceContract, namespace: str) -> ResourceContract:
    """The same contract, with a selector taken for one that selects this namespace."""
    if contract.namespaces.selector is None:
        return contract
    return dataclasses.replace(contract, namespaces=NamespaceScope(names=(namespace,)))
