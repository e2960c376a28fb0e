"""A chain of rules over facts, as cert-manager's `policies.Chain`: the first violation counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TypeVar

Facts = TypeVar("Facts")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Violation:
    """Why something is not allowed: `reason` is CamelCase, `message` has what to do instead.

    `field` is the path of the invalid field, such as `spec.modelUuid`; it may be empty.
    """

    reason: str
    message: str
    field: str = ""


Rule = Callable[[Facts], Violation | None]


def evaluate(rules: Iterable[Rule[Facts]], facts: Facts) -> Violation | None:
    """The first violation, in the order of `rules`; None if all rules pass."""
    for rule in rules:
        if violation := rule(facts):
            return violation
    return None
