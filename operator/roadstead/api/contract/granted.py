"""`status.granted` of a ModelServe: what the operator last allowed to run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from roadstead.api.contract.demand import Demand
from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section

FIELD = "granted"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Granted:
    """What all replicas together may use of a contract.

    Until a rollout is complete, it is the larger, amount by amount, of the new spec's demand and
    of the previous grant.
    """

    contract: str
    demand: Demand
    model_uuid: str = ""
    """The UUID of the Model that its pods may fetch."""

    @classmethod
    def of(cls, serve: ModelServe, model_uuid: str, devices: DeviceNames = DEFAULT_DEVICES) -> Self:
        """What a server requests."""
        demand = Demand.of_serve(serve, devices=devices)
        return cls(contract=serve.contract, demand=demand, model_uuid=model_uuid)

    @classmethod
    def parse(cls, status: Raw) -> Self | None:
        """From a stored status; None if nothing was granted. Never raises."""
        given = status.get(FIELD)
        if not isinstance(given, Mapping):
            return None
        resources = section(given, "resources")
        counts: dict[str, Any] = {"servers": 1, "replicas": given.get("replicas")}
        counts["resources"] = section(resources, "extended")
        return cls(
            contract=str(given.get("contract", "")),
            demand=Demand.parse({**resources, **counts}),
            model_uuid=str(given.get("modelUuid", "")),
        )

    def to_json(self) -> dict[str, Any]:
        """The inverse of `parse`."""
        amounts = self.demand.to_json()
        return {
            "contract": self.contract,
            "modelUuid": self.model_uuid,
            "replicas": amounts["replicas"],
            "resources": {
                **{name: amounts[name] for name in ("cpu", "memory", "gpu")},
                **({"extended": amounts["resources"]} if "resources" in amounts else {}),
            },
        }

    def covers(self, requested: Granted) -> bool:
        """Whether all of `requested` is granted already."""
        same = (self.contract, self.model_uuid) == (requested.contract, requested.model_uuid)
        return same and requested.demand.within(self.demand)
