"""Runs the election of a leader: sends the requests for the Lease."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from roadstead import fence as fences
from roadstead import metrics
from roadstead.api.raw import Raw, section
from roadstead.clocks import utc_now
from roadstead.errors import KubeError, KubeNotFound, LeaseLost
from roadstead.fence import Fence
from roadstead.kube.kube_client import Object
from roadstead.kube.lease import Action, Election, LeaseRecord, LeaseStep
from roadstead.kube.resources import LEASES, Resource

logger = logging.getLogger(__name__)


class LeaseClient(Protocol):
    """The methods of the API client that a Lease needs; the client has no fence."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; raises KubeNotFound if it does not exist."""

    async def create(self, resource: Resource, body: Raw) -> Object:
        """Create an object; raises KubeConflict if it exists."""

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        """Apply a merge patch; a resourceVersion in it makes it conditional."""


@dataclasses.dataclass(kw_only=True)
class Elector:
    """Runs one candidate, and moves the fence with each renewal."""

    client: LeaseClient
    namespace: str
    name: str
    election: Election
    fence: Fence
    clock: Callable[[], float] = fences.now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    leads: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    """Set once this candidate leads; it leads until `run` ends."""
    _finished_at: float | None = None
    _answered_at: float = float("-inf")

    def silence(self) -> float:
        """Seconds since the last request finished, successful or not."""
        return 0.0 if self._finished_at is None else self.clock() - self._finished_at

    def unanswered(self) -> float:
        """Seconds since the last answer of the API server."""
        return self.clock() - self._answered_at

    async def run(self) -> None:
        """Acquire and renew the Lease; raises LeaseLost when it is lost."""
        while not self.election.lost(self.clock()):
            step = self.election.next(self.clock(), _stamp())
            if step.delay > 0:
                await self.sleep(self._within(step.delay))
                continue
            before = self.election.holder
            await self._take(step)
            self._report(before)
        self.fence.move(fences.NEVER)
        raise LeaseLost(self.loss_reason())

    def loss_reason(self) -> str:
        """Why the Lease was lost."""
        holder = self.election.holder
        state = f"is held by {holder}" if holder else "has no holder"
        if holder == self.election.identity:
            state = "was not renewed in time"
        return f"the Lease {self.name} {state}; stopping all writes"

    async def release(self) -> None:
        """Release the Lease if this candidate leads, so that another need not wait."""
        record = self.election.release(self.clock(), _stamp())
        self.fence.move(fences.NEVER)
        metrics.LEADER.set(0)
        if record is None:
            return
        try:
            async with asyncio.timeout(self.election.times.renew):
                await self._write_released(record)
        except (KubeError, TimeoutError) as error:
            logger.warning("cannot release the Lease: %s", error)
        else:
            logger.info("released the Lease %s", self.name)

    async def _write_released(self, record: LeaseRecord) -> None:
        """Write the record at the current version: the last renewal may have had no answer."""
        found = LeaseRecord.parse(await self.client.get(LEASES, self.name, self.namespace))
        if found.holder == self.election.identity:
            await self._patch(dataclasses.replace(record, version=found.version))

    async def _take(self, step: LeaseStep) -> None:
        """Send the request of a step and record its answer, within a timeout."""
        sent = self.clock()
        self.election.on_send(step, sent)
        try:
            async with asyncio.timeout(self._within(self.election.times.deadline / 2)):
                await self._send(step, sent)
            self._answered_at = self.clock()
        except KubeNotFound:
            self._answered_at = self.clock()
            self.election.on_read(None, self.clock())
        except (KubeError, TimeoutError) as error:
            logger.info("the request for the Lease failed: %s", error)
            self.election.on_failure()
        finally:
            self._finished_at = self.clock()

    async def _send(self, step: LeaseStep, sent: float) -> None:
        if step.action is Action.READ:
            found = await self.client.get(LEASES, self.name, self.namespace)
            self.election.on_read(LeaseRecord.parse(found), self.clock())
            return
        answer = await (
            self._create(step.record) if step.action is Action.CREATE else self._patch(step.record)
        )
        version = section(answer, "metadata").get("resourceVersion", "")
        self.election.on_written(step.record, version, sent=sent, now=self.clock())
        if self.election.held_until is not None:
            self.fence.move(self.election.held_until)

    async def _create(self, record: LeaseRecord) -> Object:
        meta = {"name": self.name, "namespace": self.namespace}
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": meta,
            "spec": record.spec(),
        }
        return await self.client.create(LEASES, body)

    async def _patch(self, record: LeaseRecord) -> Object:
        body = {"metadata": {"resourceVersion": record.version}, "spec": record.spec()}
        return await self.client.patch(LEASES, self.name, body, namespace=self.namespace)

    def _within(self, seconds: float) -> float:
        """The given seconds, but not longer than this candidate may write."""
        until = self.election.held_until
        return seconds if until is None else max(0.0, min(seconds, until - self.clock()))

    def _report(self, before: str) -> None:
        holder = self.election.holder
        if self.election.leads(self.clock()) and not self.leads.is_set():
            logger.info("this operator leads now")
            self.leads.set()
        metrics.LEADER.set(self.election.leads(self.clock()))
        if holder and holder != before:
            metrics.LEASE_TRANSITIONS.inc()
            if holder != self.election.identity:
                logger.info("the leader is %s", holder)


def _stamp() -> str:
    """The current time as RFC 3339 with microseconds, as in a Lease."""
    now = utc_now()
    return now.isoformat(timespec="microseconds").replace("+00:00", "Z")
