"""Whether this replica leads, and until when it may write."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
from collections.abc import AsyncIterator
from typing import Final

from roadstead import metrics
from roadstead.controllers.lease_settings import LeaseSettings
from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.fence import FOREVER, NEVER, Fence
from roadstead.kube.elector import Elector
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.lease import Election

ANSWERED_SECONDS: Final = 10.0
LEASE_REQUEST_SECONDS: Final = 60.0
"""A request for the Lease finishes within a few seconds, answered or not."""


@dataclasses.dataclass(kw_only=True)
class Leadership:
    """The fence that each write of this replica passes, and the elector that moves it."""

    fence: Fence
    elector: Elector | None = None
    """None: no election, this replica is the only one."""
    acquired: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    """Set once this replica leads; stays set until the process exits."""

    @classmethod
    def without_election(cls) -> Leadership:
        """The leadership of the only replica."""
        return cls(fence=Fence.shared(FOREVER))

    @classmethod
    def of_candidate(
        cls, client: KubeClient, settings: OperatorSettings, lease: LeaseSettings
    ) -> Leadership:
        """The leadership of a candidate, identified by its pod's name and a random suffix."""
        identity = f"{settings.instance}_{secrets.token_hex(4)}"
        fence, acquired = Fence.shared(NEVER), asyncio.Event()
        elector = Elector(
            client=client,
            namespace=settings.namespace,
            name=lease.name,
            election=Election(identity, lease.times),
            fence=fence,
            leads=acquired,
        )
        return cls(fence=fence, elector=elector, acquired=acquired)

    async def run(self) -> None:
        """Run the election until cancelled; raises LeaseLost."""
        if self.elector is not None:
            await self.elector.run()
        self.acquired.set()
        metrics.LEADER.set(1)
        await asyncio.Event().wait()

    async def release(self) -> None:
        """Release the Lease; nothing is written from now on."""
        if self.elector is not None:
            await self.elector.release()
        self.fence.move(NEVER)

    def loss_reason(self) -> str:
        """Why this replica lost the Lease; empty if it holds the Lease or never led."""
        if self.elector is None or not self.acquired.is_set() or self.fence.left() > 0:
            return ""
        return self.elector.loss_reason()

    def answered(self) -> bool:
        """Whether the API server answered the election recently."""
        return self.elector is not None and self.elector.unanswered() < ANSWERED_SECONDS

    def check(self) -> str:
        """The fault if the election is stuck; empty otherwise."""
        silence = self.elector.silence() if self.elector is not None else 0
        return (
            f"no request for the Lease for {silence:.0f} s"
            if silence > LEASE_REQUEST_SECONDS
            else ""
        )


@contextlib.asynccontextmanager
async def leadership(settings: OperatorSettings) -> AsyncIterator[Leadership]:
    """The leadership by the settings; the Lease has its own connections, so it never queues."""
    if settings.lease is None:
        yield Leadership.without_election()
        return
    client = await KubeClient.connect(settings.kubeconfig or None, connections=2)
    try:
        yield Leadership.of_candidate(client, settings, settings.lease)
    finally:
        await client.close()
