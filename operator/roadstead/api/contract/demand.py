"""What a ModelServe uses of a contract, and sums of that."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final, Self

from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.modelserve import ModelServe
from roadstead.api.quantity import MAXIMUM, cpu_text, memory_text, parse_quantity
from roadstead.api.raw import Raw, section
from roadstead.errors import InvalidResource

CPU = "cpu"
MEMORY = "memory"
STORAGE = "ephemeral-storage"
FIELDS: Final = ("servers", "replicas", "cpu_milli", "memory_bytes", "gpu")
"""The amounts of a demand other than its resources."""
_RESOURCES = "spec.resources"
_PARTS = ("limits", "requests")
_MOST_DEVICES = 2**31 - 1
"""The maximum of an int32 in a contract's status; limits are at most 100,000."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Demand:
    """Servers, their replicas, and what all replicas may use together.

    `cpu_milli` is in thousandths of a core, `memory_bytes` in bytes, `gpu` in whole devices.
    `resources` has all but CPU and memory, devices included, by name; none of them is 0.
    """

    servers: int = 0
    replicas: int = 0
    cpu_milli: int = 0
    memory_bytes: int = 0
    gpu: int = 0
    resources: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __add__(self, other: Self) -> Self:
        return self._combine(other, operator.add)

    def __sub__(self, other: Self) -> Self:
        """The difference, at least 0 for each amount."""
        return self._combine(other, lambda ours, theirs: max(0, ours - theirs))

    def __or__(self, other: Self) -> Self:
        """The larger of both, amount by amount."""
        return self._combine(other, max)

    def within(self, other: Self) -> bool:
        """Whether no amount exceeds the other's."""
        theirs = other.parts
        return all(amount <= theirs.get(name, 0) for name, amount in self.parts.items())

    @property
    def parts(self) -> Mapping[str, int]:
        """All amounts by name; resource names never equal field names."""
        return {**{name: getattr(self, name) for name in FIELDS}, **self.resources}

    def only(self, names: Collection[str]) -> Self:
        """With the named resources only: a tenant may request any name."""
        kept = {name: self.resources[name] for name in names if name in self.resources}
        return dataclasses.replace(self, resources=kept)

    def agrees(self, kept: Demand) -> bool:
        """Whether `kept` equals this demand, apart from resources that `kept` omits."""
        return self.only(kept.resources) == kept

    def _combine(self, other: Self, function: Callable[[int, int], int]) -> Self:
        fields = {name: function(getattr(self, name), getattr(other, name)) for name in FIELDS}
        ours, theirs = self.resources, other.resources
        names = {**ours, **theirs}
        amounts = {name: function(ours.get(name, 0), theirs.get(name, 0)) for name in names}
        return type(self)(**fields, resources={name: n for name, n in amounts.items() if n})

    @classmethod
    def of_serve(
        cls,
        serve: ModelServe,
        replicas: int | None = None,
        *,
        devices: DeviceNames = DEFAULT_DEVICES,
    ) -> Self:
        """One server with `replicas`, by default those of its spec.

        CPU and memory are the limits, or the requests if there is no limit. `gpu` counts the
        resources that are `devices`; a share of a device that is requested alone counts as 1,
        since schedulers of shares assign one then. Fractions are rounded up, and values above the
        largest quantity are reduced to it, as in Kubernetes. Never raises: an invalid quantity
        counts as 0 (the schema and `find_faults` refuse it).
        """
        one = _resources(serve)
        counted = sum(amount for name, amount in one.items() if devices.is_device(name))
        count = max(0, serve.replicas if replicas is None else replicas)
        return cls(
            servers=1,
            replicas=count,
            cpu_milli=count * min(_rounded(_given(serve, CPU), 1000), 1000 * MAXIMUM),
            memory_bytes=count * min(_rounded(_given(serve, MEMORY)), MAXIMUM),
            gpu=count * (counted or any(map(devices.is_share, one))),
            resources={name: min(count * n, MAXIMUM) for name, n in one.items() if count * n},
        )

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """From what `to_json` returns; an invalid value counts as 0."""
        given = {name: _whole(amount) for name, amount in section(raw, "resources").items()}
        return cls(
            servers=_whole(raw.get("servers")),
            replicas=_whole(raw.get("replicas")),
            cpu_milli=_rounded(raw.get(CPU), 1000),
            memory_bytes=_rounded(raw.get(MEMORY)),
            gpu=_whole(raw.get("gpu")),
            resources={name: amount for name, amount in given.items() if amount},
        )

    def to_json(self) -> dict[str, Any]:
        """The inverse of `parse`; cpu and memory as quantities, devices limited to int32."""
        amounts: dict[str, Any] = {
            "servers": self.servers,
            "replicas": self.replicas,
            CPU: cpu_text(self.cpu_milli),
            MEMORY: memory_text(self.memory_bytes),
            "gpu": min(self.gpu, _MOST_DEVICES),
        }
        if self.resources:
            amounts["resources"] = {n: min(a, MAXIMUM) for n, a in sorted(self.resources.items())}
        return amounts


NO_DEMAND = Demand()


def total(demands: Iterable[Demand]) -> Demand:
    """The sum of all; `NO_DEMAND` if there are none."""
    return sum(demands, NO_DEMAND)


def quantity_path_of(serve: ModelServe, resource: str) -> str:
    """The path of the quantity that counts for `resource`; that of the limit if none is set."""
    for part in _PARTS:
        if section(serve.resources, part).get(resource) is not None:
            return quantity_path(part, resource)
    return quantity_path("limits", resource)


def quantity_path(part: str, resource: str) -> str:
    """`spec.resources.limits.cpu`, `spec.resources.limits[nvidia.com/gpu]`."""
    key = f".{resource}" if resource.isidentifier() else f"[{resource}]"
    return f"{_RESOURCES}.{part}{key}"


def is_set(serve: ModelServe, resource: str, *, limit: bool) -> bool:
    """Whether the limit is set or, without `limit`, the limit or the request."""
    parts = _PARTS[:1] if limit else _PARTS
    return any(section(serve.resources, part).get(resource) is not None for part in parts)


def is_extended(name: str) -> bool:
    """Whether it is an extended resource; their names have a domain."""
    return "/" in name and not name.startswith("hugepages-")


def _resources(serve: ModelServe) -> dict[str, int]:
    """What one replica requests besides CPU and memory, without zeros."""
    names = sorted({name for part in _PARTS for name in section(serve.resources, part)})
    found = {name: min(_rounded(_given(serve, name)), MAXIMUM) for name in names}
    return {name: amount for name, amount in found.items() if amount and is_counted(name)}


def is_counted(name: str) -> bool:
    """Whether it belongs in `resources` of a demand and of a contract's limits."""
    return is_extended(name) or name == STORAGE


def find_faults(serve: ModelServe) -> Iterator[InvalidResource]:
    """Every quantity of `spec.resources` that is invalid, negative, too large or too precise."""
    for part in _PARTS:
        for name, value in section(serve.resources, part).items():
            try:
                _check_quantity(str(name), value, field=quantity_path(part, str(name)))
            except InvalidResource as error:
                yield error


def _check_quantity(name: str, value: object, *, field: str) -> None:
    number = parse_quantity(str(value), field=field)
    if number < 0:
        raise InvalidResource(field, f"{value} is negative; write 0 or more")
    if number > MAXIMUM:
        raise InvalidResource(field, f"{value} is above the maximum of a quantity, 2^63-1")
    if name == CPU and number * 1000 % 1:
        raise InvalidResource(field, f"{value} is more precise than 1m, a thousandth of a core")
    if name != CPU and number % 1:
        what = "byte" if name in (MEMORY, STORAGE) else "device"
        raise InvalidResource(
            field, f"{value} is not a whole number; write at least one whole {what}"
        )


def _given(serve: ModelServe, resource: str) -> object:
    values = (section(serve.resources, part).get(resource) for part in _PARTS)
    return next((value for value in values if value is not None), None)


def _rounded(value: object, factor: int = 1) -> int:
    if value is None:
        return 0
    try:
        number: Decimal = parse_quantity(str(value), field="")
    except InvalidResource:
        return 0
    return max(0, int((number * factor).to_integral_value(rounding=ROUND_CEILING)))


def _whole(value: object) -> int:
    return max(0, value) if type(value) is int else 0
