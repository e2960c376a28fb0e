"""Totals of a contract and their use (pure)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from roadstead.api.contract.contract_limits import Limits
from roadstead.api.contract.demand import STORAGE, Demand
from roadstead.api.quantity import size_text
from roadstead.api.raw import section


@dataclasses.dataclass(frozen=True, kw_only=True)
class Allowance:
    """One resource: `limit` is None without a limit; `_text` fields are for pages."""

    resource: str
    used: int
    limit: int | None
    used_text: str
    limit_text: str
    left_text: str

    @property
    def percent(self) -> int | None:
        """The used percentage of the limit; None without a limit."""
        if self.limit is None:
            return None
        return min(100, round(self.used * 100 / self.limit)) if self.limit else 100


def _cores(milli: int) -> str:
    return f"{milli / 1000:g} {'core' if milli == 1000 else 'cores'}"


def _count_of(one: str) -> Callable[[int], str]:
    return lambda number: f"{number} {one}{'' if number == 1 else 's'}"


_RESOURCES: Final = (
    ("Servers", "servers", _count_of("server")),
    ("Replicas", "replicas", _count_of("replica")),
    ("CPU", "cpu_milli", _cores),
    ("Memory", "memory_bytes", size_text),
    ("GPU", "gpu", _count_of("GPU")),
)


def allowances(row: Mapping[str, Any]) -> list[Allowance]:
    """Return the allowances of a row of `contract_records`; only limited or used resources."""
    total, _ = Limits.parse_total(section(row["spec"], "total"))
    return list(_allowances(Demand.parse(row["used"]), total))


def per_server(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the limits of one server, as resource and amount."""
    limits, _ = Limits.parse(section(row["spec"], "perServer"), "spec.perServer")
    named = (*_RESOURCES, *_resources_by_name(limits))
    pairs = ((title, limits.bounds.get(name), text) for title, name, text in named)
    return [(title, text(value)) for title, value, text in pairs if value is not None]


def _resources_by_name(limits: Limits) -> Iterator[tuple[str, str, Callable[[int], str]]]:
    """Yield the resources that are limited by name."""
    for name in sorted(limits.resources):
        yield name, name, size_text if name == STORAGE else str


def _allowances(used: Demand, total: Limits) -> Iterator[Allowance]:
    for title, name, text in (*_RESOURCES, *_resources_by_name(total)):
        amount = used.parts.get(name, 0)
        limit = total.bounds.get(name)
        if limit is None and not amount:
            continue
        yield Allowance(
            resource=title,
            used=amount,
            limit=limit,
            used_text=text(amount),
            limit_text="no limit" if limit is None else text(limit),
            left_text="no limit" if limit is None else f"{text(max(0, limit - amount))} left",
        )
