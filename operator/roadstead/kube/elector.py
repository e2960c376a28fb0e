"""Taking part in the election of a leader: the requests, for as long as the Lease is held."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from roadstead import fence as fences
from roadstead import metrics
from roadstead.api.raw import Raw, section
from roadstead.errors import KubeError, KubeNotFound, LeaseLost
from roadstead.fence import Fence
from roadstead.kube.kube_client import Object
from roadstead.kube.lease import Action, Election, LeaseRecord, LeaseStep
from roadstead.kube.resources import LEASES, Resource

logger = logging.getLogger(__name__)


class LeaseClient(Protocol):
    """The part of the API client that a Lease needs: one of its own, which no fence holds back."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; KubeNotFound if it is not there."""

    async def create(self, resource: Resource, body: Raw) -> Object:
        """Create an object; KubeConflict if one of that name is there."""

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        """Merge patch; a resourceVersion in it makes it conditional."""


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
    """Set once it leads; it does so until `run` ends."""
    _tried: float | None = None
    _answered: float = float("-inf")

    def silence(self) -> float:
        """Seconds since the last request ended, well or not: whether the election goes on."""
        return 0.0 if self._tried is None else self.clock() - self._tried

    def unanswered(self) -> float:
        """Seconds since the API server last answered."""
        return self.clock() - self._answered

    async def run(self) -> None:
        """Stand, lead, and renew; raises LeaseLost when the Lease is lost."""
        while not self.election.lost(self.clock()):
            step = self.election.next(self.clock(), _stamp())
            if step.delay > 0:
                await self.sleep(self._within(step.delay))
                continue
            before = self.election.holder
            await self._take(step)
            self._tell(before)
        self.fence.move(fences.NEVER)
        raise LeaseLost(self.why_lost())

    def why_lost(self) -> str:
        """What became of the Lease, where it is not held any more."""
        holder = self.election.holder
        became = f"names {holder} now" if holder else "names nobody any more"
        if holder == self.election.identity:
            became = "was not renewed in time"
        return f"the Lease {self.name} {became}; nothing is written any more"

    async def release(self) -> None:
        """Let go of the Lease, if it is held, so that another need not wait."""
        record = self.election.release(self.clock(), _stamp())
        self.fence.move(fences.NEVER)
        metrics.LEADER.set(0)
        if record is None:
            return
        try:
            async with asyncio.timeout(self.election.times.renew):
                await self._let_go(record)
        except (KubeError, TimeoutError) as error:
            logger.warning("the Lease could not be released: %s", error)
        else:
            logger.info("the Lease %s is released", self.name)

    async def _let_go(self, record: LeaseRecord) -> None:
        """The last renewal may have been cut off: what version it made has to be read."""
        found = LeaseRecord.parse(await self.client.get(LEASES, self.name, self.namespace))
        if found.holder == self.election.identity:
            await self._patch(dataclasses.replace(record, version=found.version))

    async def _take(self, step: LeaseStep) -> None:
        """Do what the step says and hear the answer, for as long as that makes sense."""
        sent = self.clock()
        self.election.asks(step, sent)
        try:
            async with asyncio.timeout(self._within(self.election.times.deadline / 2)):
                await self._ask(step, sent)
            self._answered = self.clock()
        except KubeNotFound:
            self._answered = self.clock()
            self.election.read(None, self.clock())
        except (KubeError, TimeoutError) as error:
            logger.info("the Lease was not written or read: %s", error)
            self.election.failed()
        finally:
            self._tried = self.clock()

    async def _ask(self, step: LeaseStep, sent: float) -> None:
        if step.action is Action.READ:
            found = await self.client.get(LEASES, self.name, self.namespace)
            self.election.read(LeaseRecord.parse(found), self.clock())
            return
        answer = await (
            self._create(step.record) if step.action is Action.CREATE else self._patch(step.record)
        )
        version = section(answer, "metadata").get("resourceVersion", "")
        self.election.wrote(step.record, version, sent=sent, now=self.clock())
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
        """No longer than the Lease is held, by whoever holds it."""
        until = self.election.held_until
        return seconds if until is None else max(0.0, min(seconds, until - self.clock()))

    def _tell(self, before: str) -> None:
        holder = self.election.holder
        if self.election.leads(self.clock()) and not self.leads.is_set():
            logger.info("this operator leads now")
            self.leads.set()
        metrics.LEADER.set(self.election.leads(self.clock()))
        if holder and holder != before:
            metrics.LEASE_TRANSITIONS.inc()
            if holder != self.election.identity:
                logger.info("%s leads", holder)


def _stamp() -> str:
    """RFC 3339 with microseconds, as a Lease's times are."""
    now = datetime.datetime.now(datetime.UTC)
    return now.isoformat(timespec="microseconds").replace("+00:00", "Z")
