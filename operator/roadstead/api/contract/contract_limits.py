"""The limits, runtime bounds and authorization of a contract."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Final, Self

from roadstead.api.contract.demand import FIELDS, is_counted
from roadstead.api.quantity import MAXIMUM, parse_quantity
from roadstead.api.raw import Raw, section
from roadstead.errors import InvalidResource

Faults = tuple[str, ...]
"""Each is `path: what is wrong`."""
DEFAULT_SERVERS: Final = 1000
"""The default of `total.servers`: every process keeps each server in memory, even if stopped."""
_RUNTIME = "spec.runtimeParams"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """Upper bounds in the units of `Demand`; None is unlimited."""

    servers: int | None = None
    replicas: int | None = None
    cpu_milli: int | None = None
    memory_bytes: int | None = None
    gpu: int | None = None
    resources: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """By resource name, including devices."""

    @property
    def bounds(self) -> Mapping[str, int]:
        """All bounds that are set, named as in `Demand.parts`."""
        fields = {name: getattr(self, name) for name in FIELDS}
        return {
            **{name: bound for name, bound in fields.items() if bound is not None},
            **self.resources,
        }

    @classmethod
    def parse(cls, raw: Raw, field: str) -> tuple[Self, Faults]:
        """From `perServer` or `total`, whose path is `field`.

        An invalid value is a bound of 0; fractions are rounded down.
        """
        faults: list[str] = []
        limits = cls(
            servers=_count(raw, "servers", field, faults),
            replicas=_count(raw, "replicas", field, faults),
            cpu_milli=_amount(raw, "cpu", 1000, field, faults),
            memory_bytes=_amount(raw, "memory", 1, field, faults),
            gpu=_count(raw, "gpu", field, faults),
            resources=_resources(section(raw, "resources"), f"{field}.resources", faults),
        )
        return limits, tuple(faults)

    @classmethod
    def parse_total(cls, raw: Raw) -> tuple[Self, Faults]:
        """From `spec.total`, with DEFAULT_SERVERS if it doesn't bound the servers."""
        limits, faults = cls.parse(raw, "spec.total")
        if limits.servers is None:
            limits = dataclasses.replace(limits, servers=DEFAULT_SERVERS)
        return limits, faults


@dataclasses.dataclass(frozen=True, kw_only=True)
class Authorization:
    """What the caller's token must claim."""

    subjects: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """From `spec.authorization`."""
        return cls(
            subjects=frozenset(strings_in(raw.get("subjects"))),
            groups=frozenset(strings_in(raw.get("groups"))),
            scopes=frozenset(strings_in(raw.get("scopes"))),
        )

    def allows(self, subject: str, groups: Iterable[str], scopes: Iterable[str]) -> bool:
        """Whether a caller has one of the subjects or groups, if any are given, and all scopes.

        Names are case-sensitive. Without subjects, groups and scopes, no caller is allowed.
        """
        if not (self.subjects or self.groups or self.scopes):
            return False
        anyone = not (self.subjects or self.groups)
        named = bool(subject) and subject in self.subjects
        return (anyone or named or not self.groups.isdisjoint(groups)) and self.scopes <= set(
            scopes
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RuntimeBounds:
    """Bounds of a ModelServe's `runtimeParams`; None is unlimited."""

    max_context_size: int | None = None
    max_parallel: int | None = None
    max_threads: int | None = None
    max_batch_size: int | None = None
    max_gpu_layers: int | None = None
    max_cache_ram_mib: int | None = None
    max_context_checkpoints: int | None = None
    extra_args_allowed: bool = True
    forbidden_extra_args: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, raw: Raw) -> tuple[Self, Faults]:
        """From `spec.runtimeParams` of a contract; an invalid value is a bound of 0."""
        faults: list[str] = []
        bounds = cls(
            max_context_size=_count(raw, "maxContextSize", _RUNTIME, faults),
            max_parallel=_count(raw, "maxParallel", _RUNTIME, faults),
            max_threads=_count(raw, "maxThreads", _RUNTIME, faults),
            max_batch_size=_count(raw, "maxBatchSize", _RUNTIME, faults),
            max_gpu_layers=_count(raw, "maxGpuLayers", _RUNTIME, faults),
            max_cache_ram_mib=_count(raw, "maxCacheRamMiB", _RUNTIME, faults),
            max_context_checkpoints=_count(raw, "maxContextCheckpoints", _RUNTIME, faults),
            extra_args_allowed=raw.get("extraArgs", "Allow") == "Allow",
            forbidden_extra_args=frozenset(strings_in(raw.get("forbiddenExtraArgs"))),
        )
        return bounds, tuple(faults)


def _resources(raw: Raw, field: str, faults: list[str]) -> dict[str, int]:
    found = {name: _amount(raw, name, 1, field, faults) for name in sorted(raw)}
    faults.extend(
        f"{field}.{name}: write ephemeral-storage or an extended resource such as nvidia.com/gpumem"
        for name in found
        if not is_counted(name)
    )
    return {name: bound for name, bound in found.items() if bound is not None}


def strings_in(items: object) -> tuple[str, ...]:
    """The strings of a list; empty if it is not a list."""
    given = items if isinstance(items, list | tuple) else ()
    return tuple(item for item in given if isinstance(item, str))


def _count(raw: Raw, name: str, field: str, faults: list[str]) -> int | None:
    value = raw.get(name)
    if value is None:
        return None
    if type(value) is int and value >= 0:
        return value
    faults.append(f"{field}.{name}: expected a whole number of 0 or more")
    return 0


def _amount(raw: Raw, name: str, factor: int, field: str, faults: list[str]) -> int | None:
    """A quantity times `factor`, rounded down.

    At most what Kubernetes supports: `1e99` would have more digits than fit into a status.
    """
    value = raw.get(name)
    if value is None:
        return None
    try:
        number = parse_quantity(str(value), field=f"{field}.{name}")
    except InvalidResource as error:
        faults.append(str(error))
        return 0
    if number < 0:
        faults.append(f"{field}.{name}: {value} is negative; write 0 or more")
        return 0
    return int((min(number, Decimal(MAXIMUM)) * factor).to_integral_value(rounding=ROUND_FLOOR))
