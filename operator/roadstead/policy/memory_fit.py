"""Whether a server's memory limit is large enough for the server."""

from __future__ import annotations

import dataclasses

from roadstead.api.contract import demand
from roadstead.api.contract.demand import Demand
from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.memory import MemoryEstimate, estimate, remedy
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.quantity import mebibytes, parse_quantity, size_text
from roadstead.api.raw import section
from roadstead.errors import InvalidResource
from roadstead.policy.chain import Violation


def memory_fit(
    serve: ModelServe,
    model: Model | None,
    devices: DeviceNames = DEFAULT_DEVICES,
    *,
    to_deny: bool = False,
) -> Violation | None:
    """A memory limit below the estimate; the message lists the parts of the estimate.

    None before the Model is stored, and if a GPU has an unknown part of it; with `to_deny` also if
    the estimate isn't exact enough to deny a server.
    """
    parts = _estimate(serve, model, devices)
    if parts is None or model is None or (to_deny and not parts.exact):
        return None
    about = "up to about" if parts.bound else "about"
    found = _too_small(serve, parts.total, about, remedy(parts, serve.runtime_params))
    if found is None:
        return None
    message = f"{found.message} ({_parts(parts)}){_caveat(parts, model)}"
    return dataclasses.replace(found, message=message)


def _estimate(
    serve: ModelServe, model: Model | None, devices: DeviceNames
) -> MemoryEstimate | None:
    if model is None or not model.size or Demand.of_serve(serve, 1, devices=devices).gpu:
        return None
    return estimate(model.status, serve.runtime_params)


def _too_small(serve: ModelServe, needed: int, about: str, lower: str) -> Violation | None:
    limit = section(serve.resources, "limits").get(demand.MEMORY)
    if limit is None:
        return None
    try:
        bytes_ = parse_quantity(str(limit), field="")
    except InvalidResource:
        return None
    if bytes_ >= needed:
        return None
    return Violation(
        reason="MemoryTooSmall",
        message=f"{limit}; each replica needs {about} {mebibytes(needed)} for this model and "
        f"these runtimeParams: raise the limit, or {lower}",
        field=demand.quantity_path("limits", demand.MEMORY),
    )


def _caveat(parts: MemoryEstimate, model: Model | None) -> str:
    architecture = section(model.status if model else {}, "gguf").get("architecture")
    if parts.bound:
        return f"; the architecture {architecture} is not known, so this is an upper bound"
    if not parts.exact:
        return "; the states of its recurrent layers are not counted: its header lacks their sizes"
    return ""


def _parts(parts: MemoryEstimate) -> str:
    named = (
        ("weights", parts.weights),
        ("KV cache", parts.kv_cache),
        ("recurrent states", parts.states),
        ("compute buffers", parts.compute),
        ("checkpoints", parts.checkpoints),
        ("prompt cache", parts.prompt_cache),
        ("overhead", parts.overhead),
    )
    return ", ".join(f"{name} {size_text(size)}" for name, size in named if size)
