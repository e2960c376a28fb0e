"""`roadstead release-models`: removes the finalizers of an operator that was uninstalled.

Only the operator removes a Model's finalizer. Without one, a deleted Model would stay forever, and
its CustomResourceDefinition with it. The objects in the store are kept. An operator that is
installed again adds its finalizers again.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from roadstead.api.group import FINALIZER
from roadstead.api.raw import Raw, section
from roadstead.clocks import Stopwatch
from roadstead.errors import InvalidSettings, KubeConflict, KubeNotFound
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import LEASES, MODELS, PODS

logger = logging.getLogger(__name__)

OPERATORS: Final = "app.kubernetes.io/name=roadstead,app.kubernetes.io/component=operator"
"""The chart's labels of the operator's pods."""
RELEASE_POLL_SECONDS: Final = 1.0
RELEASE_ATTEMPTS: Final = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Releasing:
    """Waits until the operators in `namespace` are gone, then removes the finalizers of Models."""

    client: KubeClient
    namespace: str
    lease: str
    wait: float
    clock: Stopwatch = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self) -> int:
        """Release all Models, return their number; InvalidSettings while an operator runs."""
        await self._wait_for_operators()
        # The leader recreates a Lease that uninstalling has deleted; Helm does not delete it again.
        await self.client.delete(LEASES, self.lease, namespace=self.namespace)
        return sum([await self._release(name) for name in await self._find_models()])

    async def _wait_for_operators(self) -> None:
        """Wait for the pods; one that is being deleted on a lost node can't write: it is fenced."""
        deadline = self.clock() + self.wait
        while pods := await self._pods():
            if self.clock() > deadline:
                _require_none_running(pods)
                return
            await self.sleep(RELEASE_POLL_SECONDS)

    async def _pods(self) -> list[Raw]:
        pages = self.client.list(PODS, selector=OPERATORS, namespace=self.namespace)
        return [item async for page in pages for item in page.items]

    async def _find_models(self) -> list[str]:
        """The Models with our finalizer; none if the kind is deleted."""
        found: list[str] = []
        with contextlib.suppress(KubeNotFound):
            async for page in self.client.list(MODELS):
                found += [item["metadata"]["name"] for item in page.items if _has_finalizer(item)]
        return found

    async def _release(self, name: str) -> bool:
        """Remove the finalizer; returns whether there was one, raises KubeConflict."""
        for attempt in range(RELEASE_ATTEMPTS):
            with contextlib.suppress(KubeConflict):
                return await self._remove_finalizer(name)
            await self.sleep(0.1 * attempt)
        raise KubeConflict(f"Model {name} is modified concurrently; run the command again")

    async def _remove_finalizer(self, name: str) -> bool:
        try:
            model = await self.client.get(MODELS, name)
            if not _has_finalizer(model):
                return False
            await self.client.patch(MODELS, name, _without_finalizer(model))
        except KubeNotFound:
            return False
        logger.info("released Model %s; its object in the store is kept", name)
        return True


def _has_finalizer(model: Raw) -> bool:
    return FINALIZER in (section(model, "metadata").get("finalizers") or ())


def _without_finalizer(model: Raw) -> Raw:
    meta = section(model, "metadata")
    rest = [item for item in meta["finalizers"] if item != FINALIZER]
    return {"metadata": {"finalizers": rest, "resourceVersion": meta["resourceVersion"]}}


def _require_none_running(pods: Sequence[Raw]) -> None:
    metas = [section(pod, "metadata") for pod in pods]
    running = [meta["name"] for meta in metas if not meta.get("deletionTimestamp")]
    if running:
        raise InvalidSettings(
            f"{', '.join(running)} would add the finalizers again: uninstall the release first"
        )
    names = ", ".join(meta["name"] for meta in metas)
    logger.warning("pod %s does not terminate, as on a lost node; continuing without it", names)


def run(namespace: str, lease: str, *, kubeconfig: str | None, wait: float) -> int:
    """Release all Models and print their number; returns the exit code."""
    print(f"released {asyncio.run(_run(namespace, lease, kubeconfig, wait))} Models")
    return 0


async def _run(namespace: str, lease: str, kubeconfig: str | None, wait: float) -> int:
    client = await KubeClient.connect(kubeconfig)
    try:
        releasing = Releasing(client=client, namespace=namespace, lease=lease, wait=wait)
        return await releasing.run()
    finally:
        await client.close()
