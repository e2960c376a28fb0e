"""`roadstead release-models`: what an operator that is gone for good still holds is let go.

A Model's finalizer is for the operator alone to take away. Once that is uninstalled, a Model that
is deleted would stay for ever, and its CustomResourceDefinition with it. The objects in the store
stay. An operator that is installed again takes hold of its Models again.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Protocol

from roadstead.api.group import FINALIZER
from roadstead.api.raw import Raw, section
from roadstead.errors import InvalidSettings, KubeConflict, KubeNotFound
from roadstead.kube.kube_client import KubeClient, Object, Page
from roadstead.kube.resources import LEASES, MODELS, PODS, Resource

logger = logging.getLogger(__name__)

OPERATORS: Final = "app.kubernetes.io/name=roadstead,app.kubernetes.io/component=operator"
"""The chart's labels of the operator's pods."""
RELEASE_POLL_SECONDS: Final = 1.0
RELEASE_ATTEMPTS: Final = 10


class ReleaseClient(Protocol):
    """The part of the API client that this needs."""

    def list(
        self, resource: Resource, *, selector: str = "", namespace: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """Every object of a kind, in pages."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; KubeNotFound if it is not there."""

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        """Merge patch; a resourceVersion in it makes it conditional."""

    async def delete(
        self, resource: Resource, name: str, *, namespace: str = "", uid: str = ""
    ) -> None:
        """Delete; no error if it is gone."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Releasing:
    """Waits for the operators in `namespace` to end, then does what none of them does any more."""

    client: ReleaseClient
    namespace: str
    lease: str
    wait: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self) -> int:
        """The number of Models that were let go; InvalidSettings while an operator runs."""
        await self._operators_gone()
        # A leader that lost its Lease to the uninstalling made it anew; no release would take it.
        await self.client.delete(LEASES, self.lease, namespace=self.namespace)
        return sum([await self._release(name) for name in await self._held()])

    async def _operators_gone(self) -> None:
        """Those that are on their way out and don't end are cut off: their fence holds them."""
        deadline = self.clock() + self.wait
        while pods := await self._pods():
            if self.clock() > deadline:
                _say_who_is_left(pods)
                return
            await self.sleep(RELEASE_POLL_SECONDS)

    async def _pods(self) -> list[Raw]:
        pages = self.client.list(PODS, selector=OPERATORS, namespace=self.namespace)
        return [item async for page in pages for item in page.items]

    async def _held(self) -> list[str]:
        """The Models with our finalizer; none where the kind is gone already."""
        held: list[str] = []
        with contextlib.suppress(KubeNotFound):
            async for page in self.client.list(MODELS):
                held += [item["metadata"]["name"] for item in page.items if _holds(item)]
        return held

    async def _release(self, name: str) -> bool:
        """Whether there was something to let go of; KubeConflict where it never stands still."""
        for attempt in range(RELEASE_ATTEMPTS):
            with contextlib.suppress(KubeConflict):
                return await self._released(name)
            await self.sleep(0.1 * attempt)
        raise KubeConflict(f"Model {name} is changed again and again by somebody")

    async def _released(self, name: str) -> bool:
        try:
            model = await self.client.get(MODELS, name)
            if not _holds(model):
                return False
            await self.client.patch(MODELS, name, _without_finalizer(model))
        except KubeNotFound:
            return False
        logger.info("Model %s can be deleted now; its object in the store stays", name)
        return True


def _holds(model: Raw) -> bool:
    return FINALIZER in (section(model, "metadata").get("finalizers") or ())


def _without_finalizer(model: Raw) -> Raw:
    meta = section(model, "metadata")
    rest = [item for item in meta["finalizers"] if item != FINALIZER]
    return {"metadata": {"finalizers": rest, "resourceVersion": meta["resourceVersion"]}}


def _say_who_is_left(pods: Sequence[Raw]) -> None:
    metas = [section(pod, "metadata") for pod in pods]
    running = [meta["name"] for meta in metas if not meta.get("deletionTimestamp")]
    if running:
        raise InvalidSettings(
            f"{', '.join(running)} would take hold of the Models again: uninstall the release first"
        )
    names = ", ".join(meta["name"] for meta in metas)
    logger.warning("%s does not end, as on a node that is gone; going on without it", names)


def run(namespace: str, lease: str, *, kubeconfig: str | None, wait: float) -> int:
    """Release all and print how many; the exit code."""
    print(f"let go of {asyncio.run(_run(namespace, lease, kubeconfig, wait))} Models")
    return 0


async def _run(namespace: str, lease: str, kubeconfig: str | None, wait: float) -> int:
    client = await KubeClient.connect(kubeconfig)
    try:
        releasing = Releasing(client=client, namespace=namespace, lease=lease, wait=wait)
        return await releasing.run()
    finally:
        await client.close()
