"""A chain of rules over facts, as cert-manager's `policies.Chain`: the first violation counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TypeVar

Facts = TypeVar("Facts")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Violation:
    """Why something may not be: `reason` is CamelCase, `message` says what to do instead.

    `field` is the path of the field at fault, such as `spec.modelUuid`; empty if there is none.
    """

    reason: str
    message: str
    field: str = ""


Rule = Callable[[Facts], Violation | None]


def evaluate(rules: Iterable[Rule[Facts]], facts: Facts) -> Violation | None:
    """The first rule's violation, in the order of `rules`; None if all hold."""
    for rule in rules:
        if violation := rule(facts):
            return violation
    return None
