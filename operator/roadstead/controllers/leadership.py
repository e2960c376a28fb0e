"""This replica's part in the election: whether it leads, and until when it may write."""

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
"""A request about the Lease is over after a few seconds, whether it is answered or not."""


@dataclasses.dataclass(kw_only=True)
class Leadership:
    """The fence that everything written by this replica has to pass, and who moves it."""

    fence: Fence
    elector: Elector | None = None
    """None: no election, this replica is the only one."""
    taken: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    """Set once this replica leads, and then until it ends."""

    @classmethod
    def alone(cls) -> Leadership:
        """That of an operator that shares its work with nobody."""
        return cls(fence=Fence.shared(FOREVER))

    @classmethod
    def standing(
        cls, client: KubeClient, settings: OperatorSettings, lease: LeaseSettings
    ) -> Leadership:
        """That of a candidate. Its name is the pod's and something that no other process has."""
        identity = f"{settings.instance}_{secrets.token_hex(4)}"
        fence, taken = Fence.shared(NEVER), asyncio.Event()
        elector = Elector(
            client=client,
            namespace=settings.namespace,
            name=lease.name,
            election=Election(identity, lease.times),
            fence=fence,
            leads=taken,
        )
        return cls(fence=fence, elector=elector, taken=taken)

    async def run(self) -> None:
        """Take part until cancelled; raises LeaseLost."""
        if self.elector is not None:
            await self.elector.run()
        self.taken.set()
        metrics.LEADER.set(1)
        await asyncio.Event().wait()

    async def release(self) -> None:
        """Let another lead; nothing is written from now on."""
        if self.elector is not None:
            await self.elector.release()
        self.fence.move(NEVER)

    def lost(self) -> str:
        """Why this replica, which led, may not write any more; empty if it may, or never led."""
        if self.elector is None or not self.taken.is_set() or self.fence.left() > 0:
            return ""
        return self.elector.why_lost()

    def answered(self) -> bool:
        """Whether the API server is known to answer now."""
        return self.elector is not None and self.elector.unanswered() < ANSWERED_SECONDS

    def wrong(self) -> str:
        """Why this replica's part in the election can't be going well; empty if it may."""
        silence = self.elector.silence() if self.elector is not None else 0
        return (
            f"the Lease was not asked for {silence:.0f} s"
            if silence > LEASE_REQUEST_SECONDS
            else ""
        )


@contextlib.asynccontextmanager
async def leadership(settings: OperatorSettings) -> AsyncIterator[Leadership]:
    """By the settings. The Lease has connections of its own: it waits for nobody's requests."""
    if settings.lease is None:
        yield Leadership.alone()
        return
    client = await KubeClient.connect(settings.kubeconfig or None, connections=2)
    try:
        yield Leadership.standing(client, settings, settings.lease)
    finally:
        await client.close()
