"""The status of a ResourceContract, as pure functions of its usage."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, Final

from roadstead.api import conditions
from roadstead.api.conditions import Condition, condition
from roadstead.api.contract.contract_limits import Limits
from roadstead.api.contract.demand import Demand
from roadstead.api.contract.resource_contract import Reservation, ResourceContract
from roadstead.api.quantity import cpu_text, memory_text
from roadstead.api.raw import timestamp


def status_of(
    contract: ResourceContract,
    *,
    used: Demand,
    pending: tuple[Reservation, ...],
    left_out: int,
    now: datetime.datetime,
) -> dict[str, Any]:
    """The whole status; `left_out` servers exceed the totals."""
    parts = [_valid(contract, now), _ready(contract, used, left_out, now)]
    return {
        "observedGeneration": contract.meta.generation,
        "used": used.only(contract.resources).to_json(),
        "usedText": used_text(used, contract.total),
        "reservations": [each.to_json() for each in pending],
        "conditions": conditions.merged(contract.raw, parts, now=timestamp(now)),
    }


def used_text(used: Demand, total: Limits) -> dict[str, str]:
    """The text of the columns: `3/10`, or `3` without a total."""
    return {
        "servers": _of(str(used.servers), total.servers),
        "replicas": _of(str(used.replicas), total.replicas),
        "cpu": _of(
            cpu_text(used.cpu_milli),
            None if total.cpu_milli is None else cpu_text(total.cpu_milli),
        ),
        "memory": _of(
            memory_text(used.memory_bytes),
            None if total.memory_bytes is None else memory_text(total.memory_bytes),
        ),
        "gpu": _of(str(used.gpu), total.gpu),
    }


def _of(used: str, total: int | str | None) -> str:
    return used if total is None else f"{used}/{total}"


def _valid(contract: ResourceContract, now: datetime.datetime) -> Condition:
    if contract.faults:
        return condition("Valid", False, "Unreadable", "; ".join(contract.faults))
    if contract.expires_at is not None and contract.expired(now):
        expired = timestamp(contract.expires_at)
        message = f"expired at {expired}; set a later spec.expiresAt to renew it"
        return condition("Valid", False, "Expired", message)
    return condition("Valid", True, "Valid")


def _ready(
    contract: ResourceContract, used: Demand, left_out: int, now: datetime.datetime
) -> Condition:
    valid = _valid(contract, now)
    if not valid.true:
        return dataclasses.replace(valid, type="Ready")
    if contract.meta.deleting:
        return condition("Ready", False, "Deleting", "the contract is being deleted")
    if left_out:
        message = f"{left_out} of {used.servers} servers exceed the totals"
        return condition("Ready", False, "OverTotal", message)
    taken, bounds = used.parts, contract.total.bounds.items()
    # A total of 0 GPUs is not exhausted.
    full = [name for name, limit in bounds if 0 < limit <= taken.get(name, 0)]
    if full:
        named = ", ".join(_FIELDS.get(name, f"total.resources[{name}]") for name in full)
        return condition("Ready", False, "Exhausted", f"{named} used up")
    return condition("Ready", True, "Ready", "servers can be created under this contract")


_FIELDS: Final = {
    "servers": "total.servers",
    "replicas": "total.replicas",
    "cpu_milli": "total.cpu",
    "memory_bytes": "total.memory",
    "gpu": "total.gpu",
}
