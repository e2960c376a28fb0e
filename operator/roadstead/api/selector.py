"""Label selectors, as `metav1.LabelSelector` defines them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Self

from roadstead.api.raw import Raw, section


@dataclasses.dataclass(frozen=True, kw_only=True)
class Requirement:
    """One of `matchExpressions`; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def met_by(self, labels: Mapping[str, str]) -> bool:
        """A missing label meets `NotIn` too; no label meets an unknown operator."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
            case _:
                return False


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelSelector:
    """All requirements must be met; without any, every object is selected."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """From `{matchLabels, matchExpressions}`; no labels meet an invalid requirement."""
        labels = tuple(
            Requirement(key=str(key), operator="In", values=(str(value),))
            for key, value in section(raw, "matchLabels").items()
        )
        expressions = raw.get("matchExpressions")
        items = expressions if isinstance(expressions, list | tuple) else ()
        return cls(requirements=labels + tuple(_requirement(item) for item in items))

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(requirement.met_by(labels) for requirement in self.requirements)


def _requirement(item: object) -> Requirement:
    raw: Raw = item if isinstance(item, Mapping) else {}
    values = raw.get("values")
    return Requirement(
        key=str(raw.get("key", "")),
        operator=str(raw.get("operator", "")),
        values=tuple(map(str, values)) if isinstance(values, list | tuple) else (),
    )
