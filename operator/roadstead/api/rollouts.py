"""How a change replaces the pods of a server: `spec.rollout`."""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Self

from roadstead.api.contract.demand import Demand
from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw

SURGE: Final = "Surge"
"""New pods are ready before old ones go, apart from `max_unavailable`."""
RECREATE: Final = "Recreate"
"""All old pods go before new ones come."""
MAX_SURGE: Final = 1
"""The most pods beside `spec.replicas`: they don't count against the contract."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RolloutPolicy:
    """With `RECREATE`, the numbers of pods have no meaning."""

    strategy: str
    max_surge: int = MAX_SURGE
    max_unavailable: int = 0

    @classmethod
    def of(cls, serve: ModelServe, devices: DeviceNames = DEFAULT_DEVICES) -> Self:
        """What `spec.rollout` says, or its default.

        One replica with devices is recreated: a second pod would need as many devices again, and
        where all are taken it would never be scheduled, so that no change would ever roll out.
        Numbers of pods that the schema refuses are limited to what it accepts.
        """
        given = serve.rollout
        strategy = given.get("strategy")
        if not given and serve.replicas <= 1 and has_devices(serve, devices):
            strategy = RECREATE
        if strategy == RECREATE:
            return cls(strategy=RECREATE)
        surge = min(MAX_SURGE, max(0, given.get("maxSurge", MAX_SURGE)))
        unavailable = max(0, given.get("maxUnavailable", int(not surge)))
        return cls(
            strategy=SURGE, max_surge=surge or int(not unavailable), max_unavailable=unavailable
        )

    def to_json(self) -> dict[str, Any]:
        """The `strategy` of a Deployment (apps/v1)."""
        if self.strategy == RECREATE:
            return {"type": "Recreate"}
        counts = {"maxSurge": self.max_surge, "maxUnavailable": self.max_unavailable}
        return {"type": "RollingUpdate", "rollingUpdate": counts}


def needs_room(strategy: Raw) -> bool:
    """Whether a Deployment with this `strategy` replaces no pod before a new one is ready."""
    counts = strategy.get("rollingUpdate") or {}
    return strategy.get("type") == "RollingUpdate" and counts.get("maxUnavailable") == 0


def has_devices(serve: ModelServe, devices: DeviceNames = DEFAULT_DEVICES) -> bool:
    """Whether each replica has a device, such as a GPU."""
    return Demand.of_serve(serve, 1, devices=devices).gpu > 0
