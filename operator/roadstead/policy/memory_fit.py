"""Whether a server's memory limit holds what the server needs."""

from __future__ import annotations

from collections.abc import Iterator

from roadstead.api import demand
from roadstead.api.demand import Demand
from roadstead.api.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.memory import MemoryEstimate, estimate
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.quantity import mebibytes, parse_quantity
from roadstead.api.raw import section
from roadstead.api.sizes import size_text
from roadstead.errors import InvalidResource
from roadstead.policy.chain import Violation


def memory_needed(
    serve: ModelServe, model: Model | None, devices: DeviceNames = DEFAULT_DEVICES
) -> int | None:
    """Bytes that one replica needs; None where it can't be told.

    That is before the Model is stored, and where a GPU takes a part of it that isn't known.
    """
    if model is None or not model.size or Demand.of_serve(serve, 1, devices=devices).gpu:
        return None
    return estimate(model.status, serve.runtime_params).total


def memory_fit(
    serve: ModelServe, model: Model | None, devices: DeviceNames = DEFAULT_DEVICES
) -> Violation | None:
    """A memory limit too small for the estimate, which the message takes apart."""
    for found in memory_violation(serve, memory_needed(serve, model, devices)):
        parts = estimate(model.status if model else {}, serve.runtime_params)
        return Violation(
            reason=found.reason, message=f"{found.message} ({_parts(parts)})", field=found.field
        )
    return None


def memory_violation(serve: ModelServe, needed: int | None) -> Iterator[Violation]:
    """The limit, where it is set and holds less than `needed` bytes."""
    limit = section(serve.resources, "limits").get(demand.MEMORY)
    if needed is None or limit is None:
        return
    try:
        bytes_ = parse_quantity(str(limit), field="")
    except InvalidResource:
        return
    if bytes_ < needed:
        yield Violation(
            reason="MemoryTooSmall",
            message=f"{limit}; each replica needs about {mebibytes(needed)} for this model and "
            "these runtimeParams: raise the limit, or lower contextSize",
            field=demand.path("limits", demand.MEMORY),
        )


def _parts(parts: MemoryEstimate) -> str:
    named = (
        ("weights", parts.weights),
        ("KV cache", parts.kv_cache),
        ("compute buffers", parts.compute),
        ("prompt cache", parts.prompt_cache),
        ("overhead", parts.overhead),
    )
    return ", ".join(f"{name} {size_text(size)}" for name, size in named if size)
