"""ModelServes created as tenants create them, with the latency of each."""

import asyncio
import secrets
import statistics
import time
from collections.abc import Sequence
from typing import Any, Final

from roadstead.errors import KubeError
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import MODELSERVES
from tests.support.builders.objects import make_modelserve
from tests.support.webhooks.tokens import with_token

RESOURCES: Final = {"limits": {"cpu": "1", "memory": "1Gi"}}

Figures = dict[str, float]


async def closed(kube: KubeClient, namespace: str, token: str, clients: int, count: int) -> Figures:
    """A closed loop: each client creates one after the other."""
    started = time.perf_counter()
    share = count // clients

    async def client() -> list[float]:
        return [await create(kube, namespace, token) for _ in range(share)]

    lists = await asyncio.gather(*(client() for _ in range(clients)))
    seconds = time.perf_counter() - started
    return figures([each for one in lists for each in one], share * clients / seconds)


async def open_loop(
    kube: KubeClient, namespace: str, token: str, count: int, *, rate: int
) -> Figures:
    """An open loop: `rate` creates start every second, whether or not earlier ones are done.

    A denied one counts with its latency, and in `failed`.
    """
    started, tasks = time.perf_counter(), []
    for number in range(count):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(_attempt(kube, namespace, token)))
    attempts = await asyncio.gather(*tasks)
    found = figures([each for each, _ in attempts], count / (time.perf_counter() - started))
    return {**found, "failed": sum(not created for _, created in attempts)}


async def _attempt(kube: KubeClient, namespace: str, token: str) -> tuple[float, bool]:
    started = time.perf_counter()
    try:
        await create(kube, namespace, token)
    except KubeError:
        return time.perf_counter() - started, False
    return time.perf_counter() - started, True


async def create(kube: KubeClient, namespace: str, token: str) -> float:
    """Create one; returns the seconds that it took."""
    body = with_token(serve(namespace), token)
    started = time.perf_counter()
    await kube.create(MODELSERVES, body)
    return time.perf_counter() - started


def serve(namespace: str) -> dict[str, Any]:
    """A ModelServe with a unique name."""
    name = f"serve-{secrets.token_hex(6)}"
    return make_modelserve(namespace, name=name, resources=RESOURCES)


def figures(latencies: Sequence[float], rate: float) -> Figures:
    """Percentiles in milliseconds of latencies in seconds."""
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "p50": round(cuts[49] * 1000, 2),
        "p99": round(cuts[98] * 1000, 2),
        "perSecond": round(rate, 1),
    }
