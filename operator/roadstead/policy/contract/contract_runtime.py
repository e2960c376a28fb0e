"""A contract's bounds of `runtimeParams`, compared with llama-server's arguments."""

from __future__ import annotations

from collections.abc import Iterator

from roadstead.api.contract.contract_limits import RuntimeBounds
from roadstead.api.contract.demand import Demand
from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.llama.llama_aliases import canonical
from roadstead.api.llama.llama_flags import CACHE_RAM_MIB, default_threads
from roadstead.api.modelserve import ModelServe
from roadstead.api.slots import CONTEXT_SIZE, PARALLEL, checkpoints_of, slots_of
from roadstead.errors import InvalidResource
from roadstead.policy.chain import Violation

_FIELD = "spec.runtimeParams"


def runtime_violations(
    serve: ModelServe, contract: ResourceContract, devices: DeviceNames = DEFAULT_DEVICES
) -> Iterator[Violation]:
    """Each parameter above its bound, defaults included, and each forbidden flag."""
    for name, bound, default in _bounds(serve, contract.runtime):
        given = serve.runtime_params.get(name)
        value = default if given is None else given
        if bound is None or value is None:
            continue
        if type(value) is not int or value > bound or value < 0:
            unset = ", the default" if given is None else ""
            yield Violation(
                reason="OverRuntimeBound",
                message=f"{value}{unset}; contract {contract.meta.name} allows {bound} at most",
                field=f"{_FIELD}.{name}",
            )
    yield from _gpu_layers(serve, contract, devices)
    yield from _extra_args(serve, contract)


def _bounds(
    serve: ModelServe, runtime: RuntimeBounds
) -> tuple[tuple[str, int | None, int | None], ...]:
    """Name, bound and default; a parameter with the default None is checked only if it is set.

    The default of batchSize ignores the model, whose header isn't known at first.
    """
    batch = slots_of(serve.runtime_params, {}).batch
    checkpoints = checkpoints_of(serve.runtime_params)
    return (
        ("contextSize", runtime.max_context_size, CONTEXT_SIZE),
        ("parallel", runtime.max_parallel, PARALLEL),
        ("threads", runtime.max_threads, _threads(serve)),
        ("threadsBatch", runtime.max_threads, None),
        ("batchSize", runtime.max_batch_size, batch),
        ("ubatchSize", runtime.max_batch_size, None),
        ("gpuLayers", runtime.max_gpu_layers, None),
        ("cacheRamMiB", runtime.max_cache_ram_mib, CACHE_RAM_MIB),
        ("contextCheckpoints", runtime.max_context_checkpoints, checkpoints),
    )


def _threads(serve: ModelServe) -> int | None:
    try:
        return default_threads(serve.resources)
    except (InvalidResource, ArithmeticError):
        return None  # an invalid quantity is a separate violation


def _gpu_layers(
    serve: ModelServe, contract: ResourceContract, devices: DeviceNames
) -> Iterator[Violation]:
    """By default llama-server puts all layers that fit on a GPU, so a bound requires a number."""
    bound = contract.runtime.max_gpu_layers
    unset = serve.runtime_params.get("gpuLayers") is None
    if bound is not None and unset and Demand.of_serve(serve, 1, devices=devices).gpu:
        yield Violation(
            reason="OverRuntimeBound",
            message="not set, so as many as fit; "
            f"contract {contract.meta.name} allows {bound} at most",
            field=f"{_FIELD}.gpuLayers",
        )


def _extra_args(serve: ModelServe, contract: ResourceContract) -> Iterator[Violation]:
    given = serve.runtime_params.get("extraArgs")
    items = [str(item) for item in given] if isinstance(given, list | tuple) else []
    if items and not contract.runtime.extra_args_allowed:
        yield Violation(
            reason="ExtraArgsForbidden",
            message=f"contract {contract.meta.name} allows none; remove it",
            field=f"{_FIELD}.extraArgs",
        )
        return
    forbidden = {canonical(flag) for flag in contract.runtime.forbidden_extra_args}
    for index, item in enumerate(items):
        flag = item.partition("=")[0]
        if canonical(flag) in forbidden:
            yield Violation(
                reason="ExtraArgsForbidden",
                message=f"contract {contract.meta.name} doesn't allow {flag}; remove it",
                field=f"{_FIELD}.extraArgs[{index}]",
            )
