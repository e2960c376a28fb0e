"""What a reconcile grants a ModelServe: in its status before any of it is applied."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from roadstead.api.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.granted import FIELD, Granted
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section, timestamp
from roadstead.api.workload import is_rolled_out, observe
from roadstead.controllers.modelserve_status import ServeObservation, status_of
from roadstead.controllers.status_writer import StatusWriter
from roadstead.kube.resources import MODELSERVES


class Grant:
    """One ModelServe's, in one reconcile; `enabled` is false where there is no admission.

    Whoever counts reads it from the status. So it is there before what it allows can run, and
    becomes less only after a rollout: a kill in between costs capacity and never exceeds a total.
    """

    def __init__(
        self,
        raw: Raw,
        seen: ServeObservation,
        status: StatusWriter,
        *,
        enabled: bool,
        devices: DeviceNames = DEFAULT_DEVICES,
    ) -> None:
        self.raw = raw
        """The object as it is stored."""
        self.now = Granted.parse(section(raw, "status")) if enabled else None
        """What is granted; None where nothing is."""
        self._seen = seen
        self._status = status
        self._enabled = enabled
        self._devices = devices

    async def extend(self, serve: ModelServe, model_uuid: str, deployment: Raw) -> None:
        """Grant what `serve` asks for, beside what may still run; raises KubeError.

        `deployment` is what is to be applied. Of a new server the whole status is written, as it
        will be once that is done: so the grant costs no write of its own.
        """
        asked = Granted.of(serve, model_uuid, self._devices)
        if not self._enabled or (self.now is not None and self.now.covers(asked)):
            return
        running = self.now.demand if self.now else asked.demand
        self.now = dataclasses.replace(asked, demand=asked.demand | running)
        status = dict(section(self.raw, "status")) or self._first(deployment)
        granted = {**status, FIELD: self.now.to_json()}
        self.raw = await self._status.replace(MODELSERVES, self.raw, granted)

    def settle(self, serve: ModelServe, deployment: Raw | None) -> None:
        """Nothing but what `serve` asks for is granted, if it is applied and rolled out."""
        if self.now is not None and deployment is not None and is_rolled_out(deployment):
            self.now = Granted.of(serve, self.now.model_uuid, self._devices)

    def status(self, seen: ServeObservation) -> dict[str, Any]:
        """The status to store at the end of the reconcile."""
        now = timestamp(datetime.datetime.now(datetime.UTC))
        status = status_of(ModelServe.parse(self.raw), seen, now=now)
        return status if self.now is None else {**status, FIELD: self.now.to_json()}

    def _first(self, deployment: Raw) -> dict[str, Any]:
        return self.status(dataclasses.replace(self._seen, workload=observe(deployment, ())))
