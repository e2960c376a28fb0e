"""What a ModelServe takes of a contract, and the sums of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Self

from roadstead.api.modelserve import ModelServe
from roadstead.api.quantity import MAXIMUM, cpu_text, memory_text, parse_quantity
from roadstead.api.raw import Raw, section
from roadstead.errors import InvalidResource

CPU = "cpu"
MEMORY = "memory"
_RESOURCES = "spec.resources"
_PARTS = ("limits", "requests")
_MOST_DEVICES = 2**31 - 1
"""What the status of a contract holds; a limit is 100,000 at most, so this is over all of them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Demand:
    """Servers, their replicas, and what all replicas may use together.

    `cpu_milli` is in thousandths of a core, `memory_bytes` in bytes, `gpu` in whole devices.
    """

    servers: int = 0
    replicas: int = 0
    cpu_milli: int = 0
    memory_bytes: int = 0
    gpu: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(**{name: ours + theirs for name, ours, theirs in _pairs(self, other)})

    def __sub__(self, other: Self) -> Self:
        """What is left over, in no part less than nothing."""
        return type(self)(
            **{name: max(0, ours - theirs) for name, ours, theirs in _pairs(self, other)}
        )

    def __or__(self, other: Self) -> Self:
        """The larger of both, part by part."""
        return type(self)(**{name: max(ours, theirs) for name, ours, theirs in _pairs(self, other)})

    def within(self, other: Self) -> bool:
        """Whether no part is more than the other's."""
        return all(ours <= theirs for _, ours, theirs in _pairs(self, other))

    @classmethod
    def of_serve(cls, serve: ModelServe, replicas: int | None = None) -> Self:
        """One server with `replicas`, else with those of its spec.

        CPU and memory are the limits, or the requests where there is no limit; `gpu` counts every
        device: all extended resources, whatever their name. Fractions are rounded up, and what is
        more than a quantity can be is taken down to it, as Kubernetes does. Never raises: what is
        no quantity counts as nothing (the schema refuses it, and so does `faults`).
        """
        count = max(0, serve.replicas if replicas is None else replicas)
        return cls(
            servers=1,
            replicas=count,
            cpu_milli=count * min(_rounded(_given(serve, CPU), 1000), 1000 * MAXIMUM),
            memory_bytes=count * min(_rounded(_given(serve, MEMORY)), MAXIMUM),
            gpu=count * sum(min(_rounded(value), MAXIMUM) for _, value in gpus(serve)),
        )

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """From `{servers, replicas, cpu, memory, gpu}`; what can't be read is nothing."""
        return cls(
            servers=_whole(raw.get("servers")),
            replicas=_whole(raw.get("replicas")),
            cpu_milli=_rounded(raw.get(CPU), 1000),
            memory_bytes=_rounded(raw.get(MEMORY)),
            gpu=_whole(raw.get("gpu")),
        )

    def to_json(self) -> dict[str, int | str]:
        """The inverse of `parse`; cpu and memory as quantities, devices as far as int32."""
        return {
            "servers": self.servers,
            "replicas": self.replicas,
            CPU: cpu_text(self.cpu_milli),
            MEMORY: memory_text(self.memory_bytes),
            "gpu": min(self.gpu, _MOST_DEVICES),
        }


NOTHING = Demand()


def total(demands: Iterable[Demand]) -> Demand:
    """The sum of all; nothing for none."""
    return sum(demands, NOTHING)


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


def gpus(serve: ModelServe) -> tuple[tuple[str, object], ...]:
    """The names of the devices, which are all extended resources, and their quantities.

    No name is trusted to say what is a GPU: `nvidia.com/mig-7g.80gb` is one.
    """
    names = {name for part in _PARTS for name in section(serve.resources, part)}
    found = sorted(str(name) for name in names if _is_device(str(name)))
    return tuple((name, _given(serve, name)) for name in found)


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
        what = "byte" if name in (MEMORY, "ephemeral-storage") else "device"
        raise InvalidResource(field, f"{value} is no whole number; write at least one whole {what}")


def _is_device(name: str) -> bool:
    """Whether it is an extended resource, all of which have a domain in their name."""
    return "/" in name and not name.startswith("hugepages-")


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


def _pairs(one: Demand, other: Demand) -> Iterator[tuple[str, int, int]]:
    theirs: Mapping[str, int] = vars(other)
    return ((name, value, theirs[name]) for name, value in vars(one).items())
