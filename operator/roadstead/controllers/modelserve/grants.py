"""The grant of a ModelServe, written to its status before anything is applied."""

from __future__ import annotations

import dataclasses
from typing import Any

from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.contract.granted import FIELD, Granted
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, timestamp
from roadstead.api.workload import is_rolled_out, observe
from roadstead.clocks import utc_now
from roadstead.controllers.modelserve.modelserve_status import ServeObservation, status_of
from roadstead.controllers.status_writer import StatusWriter
from roadstead.kube.resources import MODELSERVES


class Grant:
    """The grant of one ModelServe in one reconcile; `enabled` is false without admission.

    Usage is counted from the grant in the status. It is written before the pods that it allows are
    created, and reduced only after a rollout: a crash in between wastes capacity but never exceeds
    a total.
    """

    def __init__(
        self,
        serve: ModelServe,
        seen: ServeObservation,
        status: StatusWriter,
        *,
        enabled: bool,
        devices: DeviceNames = DEFAULT_DEVICES,
    ) -> None:
        self.stored = serve
        """The ModelServe as stored."""
        self.now = Granted.parse(serve.status) if enabled else None
        """The current grant, if any."""
        self._seen = seen
        self._status = status
        self._enabled = enabled
        self._devices = devices

    async def extend(self, serve: ModelServe, model_uuid: str, deployment: Raw) -> None:
        """Grant the demand of `serve` in addition to what may still run; raises KubeError.

        `deployment` is the Deployment to be applied. The status of a new server is written as it
        will be after that, so that the grant needs no write of its own.
        """
        requested = Granted.of(serve, model_uuid, self._devices)
        if not self._enabled or (self.now is not None and self.now.covers(requested)):
            return
        running = self.now.demand if self.now else requested.demand
        self.now = dataclasses.replace(requested, demand=requested.demand | running)
        status = dict(self.stored.status) or self._first_status(deployment)
        granted = {**status, FIELD: self.now.to_json()}
        answer = await self._status.replace(MODELSERVES, self.stored.raw, granted)
        self.stored = ModelServe.parse(answer)

    def settle(self, serve: ModelServe, deployment: Raw | None) -> None:
        """Reduce the grant to the demand of `serve` once it is applied and rolled out."""
        if self.now is not None and deployment is not None and is_rolled_out(deployment):
            self.now = Granted.of(serve, self.now.model_uuid, self._devices)

    def status(self, seen: ServeObservation) -> dict[str, Any]:
        """The status at the end of the reconcile."""
        now = timestamp(utc_now())
        status = status_of(self.stored, seen, now=now)
        return status if self.now is None else {**status, FIELD: self.now.to_json()}

    def _first_status(self, deployment: Raw) -> dict[str, Any]:
        return self.status(dataclasses.replace(self._seen, workload=observe(deployment, ())))
