"""A contract's limits of one server and of all servers, compared with what a server requests."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from roadstead.api.contract import demand
from roadstead.api.contract.contract_limits import Limits
from roadstead.api.contract.demand import Demand
from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.modelserve import ModelServe
from roadstead.api.quantity import cpu_text, memory_text
from roadstead.policy.chain import Violation


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Measure:
    """One amount of a demand: its name in `Demand` and `Limits`, its text, and its field."""

    name: str
    text: Callable[[int], str]
    field: Callable[[ModelServe, DeviceNames], str]
    counted: bool = False
    """Whether it is a number of things, which `text` names."""
    per_replica: bool = True

    def of(self, amount: Demand) -> int:
        return amount.parts.get(self.name, 0)

    def bound(self, limits: Limits) -> int | None:
        return limits.bounds.get(self.name)

    def free(self, amount: int) -> str:
        """What remains of a total, after its name."""
        return f"{amount} of them free" if self.counted else f"{self.text(amount)} of it free"


def _counted(one: str, many: str) -> Callable[[int], str]:
    return lambda number: f"{number} {one if number == 1 else many}"


def _gpu_field(serve: ModelServe, devices: DeviceNames) -> str:
    """The path of the first device, else of the first share of one."""
    names = sorted(Demand.of_serve(serve, 1).resources)
    found = [*filter(devices.is_device, names), *filter(devices.is_share, names)]
    return demand.quantity_path_of(serve, found[0] if found else "nvidia.com/gpu")


_MEASURES: tuple[_Measure, ...] = (
    _Measure(
        name="servers",
        text=_counted("server", "servers"),
        field=lambda serve, _: "",
        counted=True,
        per_replica=False,
    ),
    _Measure(
        name="replicas",
        text=_counted("replica", "replicas"),
        field=lambda serve, _: "spec.replicas",
        counted=True,
        per_replica=False,
    ),
    _Measure(
        name="cpu_milli",
        text=lambda milli: f"{cpu_text(milli)} cpu",
        field=lambda serve, _: demand.quantity_path_of(serve, demand.CPU),
    ),
    _Measure(
        name="memory_bytes",
        text=memory_text,
        field=lambda serve, _: demand.quantity_path_of(serve, demand.MEMORY),
    ),
    _Measure(name="gpu", text=_counted("GPU", "GPUs"), field=_gpu_field, counted=True),
)


def _measures(contract: ResourceContract) -> tuple[_Measure, ...]:
    """Includes the resources that the contract limits by name."""
    return *_MEASURES, *map(_of_resource, sorted(contract.resources))


def _of_resource(name: str) -> _Measure:
    amount = memory_text if name == demand.STORAGE else str
    return _Measure(
        name=name,
        text=lambda number: f"{amount(number)} {name}",
        field=lambda serve, _: demand.quantity_path_of(serve, name),
        counted=name != demand.STORAGE,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Load:
    """What is used of a contract before a server is allowed; see `ContractFacts`."""

    others: Demand
    own: Demand
    running: Demand


def limit_violations(
    serve: ModelServe,
    replicas: int,
    contract: ResourceContract,
    load: Load,
    devices: DeviceNames = DEFAULT_DEVICES,
) -> Iterator[Violation]:
    """Each limit that the server lacks or exceeds."""
    yield from _missing(serve, contract)
    one = Demand.of_serve(serve, 1, devices=devices)
    wanted = Demand.of_serve(serve, replicas, devices=devices)
    for measure in _measures(contract):
        requested, own, running = map(measure.of, (wanted, load.own, load.running))
        what = _describe_request(measure, measure.of(one), requested, replicas)
        most = measure.bound(contract.per_server)
        if most is not None and requested > max(most, own):
            yield Violation(
                reason="OverServerLimit",
                message=f"{what}; contract {contract.meta.name} allows {measure.text(most)} "
                "for one server",
                field=measure.field(serve, devices),
            )
        most, taken = measure.bound(contract.total), measure.of(load.others)
        if most is not None and max(requested, running) > max(most - taken, own):
            if running > requested:
                what = f"{measure.text(running)} may still run until its rollout is complete"
            yield Violation(
                reason="OverTotal",
                message=f"{what}; contract {contract.meta.name} has {measure.text(most)} in total, "
                f"{measure.free(max(0, most - taken))}",
                field=measure.field(serve, devices),
            )


def _describe_request(measure: _Measure, one: int, requested: int, replicas: int) -> str:
    """`8Gi x 3 replicas is 24Gi`, or only the amount for one replica."""
    if not measure.per_replica or replicas == 1:
        return measure.text(requested)
    return f"{measure.text(one)} x {replicas} replicas is {measure.text(requested)}"


def _missing(serve: ModelServe, contract: ResourceContract) -> Iterator[Violation]:
    """If a contract bounds memory or cpu, a server without a limit would be unbounded.

    A cpu request is enough: the scheduler reserves it, and it defines the share of the node's cpu.
    A memory request is not: it limits nothing.
    """
    for resource, bounded, limit in (
        (demand.CPU, _bounded(contract, "cpu_milli"), False),
        (demand.MEMORY, _bounded(contract, "memory_bytes"), True),
    ):
        if bounded and not demand.is_set(serve, resource, limit=limit):
            yield Violation(
                reason="LimitMissing",
                message=f"not set; contract {contract.meta.name} bounds {resource}, so each server "
                "must set it, such as " + ("2Gi" if limit else "2"),
                field=demand.quantity_path("limits", resource),
            )


def _bounded(contract: ResourceContract, name: str) -> bool:
    return any(
        getattr(limits, name) is not None for limits in (contract.per_server, contract.total)
    )
