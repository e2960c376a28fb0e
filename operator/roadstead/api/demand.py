"""What a ModelServe takes of a contract, and the sums of it."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final, Self

from roadstead.api.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.modelserve import ModelServe
from roadstead.api.quantity import MAXIMUM, cpu_text, memory_text, parse_quantity
from roadstead.api.raw import Raw, section
from roadstead.errors import InvalidResource

CPU = "cpu"
MEMORY = "memory"
STORAGE = "ephemeral-storage"
FIELDS: Final = ("servers", "replicas", "cpu_milli", "memory_bytes", "gpu")
"""Of a demand, besides its resources."""
_RESOURCES = "spec.resources"
_PARTS = ("limits", "requests")
_MOST_DEVICES = 2**31 - 1
"""What the status of a contract holds; a limit is 100,000 at most, so this is over all of them."""


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
        return self._joined(other, operator.add)

    def __sub__(self, other: Self) -> Self:
        """What is left over, in no part less than nothing."""
        return self._joined(other, lambda ours, theirs: max(0, ours - theirs))

    def __or__(self, other: Self) -> Self:
        """The larger of both, part by part."""
        return self._joined(other, max)

    def within(self, other: Self) -> bool:
        """Whether no part is more than the other's."""
        theirs = other.parts
        return all(amount <= theirs.get(name, 0) for name, amount in self.parts.items())

    @property
    def parts(self) -> Mapping[str, int]:
        """All amounts by name; no resource has the name of a field."""
        return {**{name: getattr(self, name) for name in FIELDS}, **self.resources}

    def only(self, names: Collection[str]) -> Self:
        """Without the resources that are not named: a tenant may ask for any name."""
        kept = {name: self.resources[name] for name in names if name in self.resources}
        return dataclasses.replace(self, resources=kept)

    def agrees(self, kept: Demand) -> bool:
        """Whether `kept`, of which some resources were left out, may be of this demand."""
        return self.only(kept.resources) == kept

    def _joined(self, other: Self, join: Callable[[int, int], int]) -> Self:
        fields = {name: join(getattr(self, name), getattr(other, name)) for name in FIELDS}
        ours, theirs = self.resources, other.resources
        names = {**ours, **theirs}
        amounts = {name: join(ours.get(name, 0), theirs.get(name, 0)) for name in names}
        return type(self)(**fields, resources={name: n for name, n in amounts.items() if n})

    @classmethod
    def of_serve(
        cls,
        serve: ModelServe,
        replicas: int | None = None,
        *,
        devices: DeviceNames = DEFAULT_DEVICES,
    ) -> Self:
        """One server with `replicas`, else with those of its spec.

        CPU and memory are the limits, or the requests where there is no limit; `gpu` counts what
        `devices` says, and 1 where a share of a device is asked for alone, as schedulers of shares
        give one then. Fractions are rounded up, and what is more than a quantity can be is taken
        down to it, as Kubernetes does. Never raises: what is no quantity counts as nothing (the
        schema refuses it, and so does `faults`).
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
        """From what `to_json` returns; what can't be read is nothing."""
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
        """The inverse of `parse`; cpu and memory as quantities, devices as far as int32."""
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
    """The sum of all; nothing for none."""
    return sum(demands, NO_DEMAND)


def field_of(serve: ModelServe, resource: str) -> str:
    """The path of the quantity that counts for `resource`; of the limit where none is set."""
    for part in _PARTS:
        if section(serve.resources, part).get(resource) is not None:
            return path(part, resource)
    return path("limits", resource)


def path(part: str, resource: str) -> str:
    """`spec.resources.limits.cpu`, `spec.resources.limits[nvidia.com/gpu]`."""
    key = f".{resource}" if resource.isidentifier() else f"[{resource}]"
    return f"{_RESOURCES}.{part}{key}"


def is_set(serve: ModelServe, resource: str, *, limit: bool) -> bool:
    """Whether there is a limit (`limit`), or a limit or a request."""
    parts = _PARTS[:1] if limit else _PARTS
    return any(section(serve.resources, part).get(resource) is not None for part in parts)


def is_extended(name: str) -> bool:
    """Whether it is an extended resource, all of which have a domain in their name."""
    return "/" in name and not name.startswith("hugepages-")


def _resources(serve: ModelServe) -> dict[str, int]:
    """What one replica asks for besides CPU and memory, none of it 0."""
    names = sorted({name for part in _PARTS for name in section(serve.resources, part)})
    found = {name: min(_rounded(_given(serve, name)), MAXIMUM) for name in names}
    return {name: amount for name, amount in found.items() if amount and is_counted(name)}


def is_counted(name: str) -> bool:
    """Whether `resources` of a demand, and of a contract's limits, may have it."""
    return is_extended(name) or name == STORAGE


def faults(serve: ModelServe) -> Iterator[InvalidResource]:
    """Every quantity of `spec.resources` that is none, is below zero, too large or too fine."""
    for part in _PARTS:
        for name, value in section(serve.resources, part).items():
            try:
                _sound(str(name), value, field=path(part, str(name)))
            except InvalidResource as error:
                yield error


def _sound(name: str, value: object, *, field: str) -> None:
    number = parse_quantity(str(value), field=field)
    if number < 0:
        raise InvalidResource(field, f"{value} is below zero")
    if number > MAXIMUM:
        raise InvalidResource(field, f"{value} is more than a quantity can be, 2^63-1")
    if name == CPU and number * 1000 % 1:
        raise InvalidResource(field, f"{value} is finer than 1m, a thousandth of a core")
    if name != CPU and number % 1:
        what = "byte" if name in (MEMORY, STORAGE) else "device"
        raise InvalidResource(field, f"{value} is no whole number; write at least one whole {what}")


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
