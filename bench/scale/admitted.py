"""A burst of servers that go through a webhook, as all do in a cluster."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from bench.scale import counting, phases
from bench.scale.load import clear, namespace
from bench.scale.phases import Side
from bench.scale.stand import OperatorProcess, Stage
from dev.servers.apiclient import connect
from roadstead.errors import KubeError
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import MODELSERVES, RESOURCECONTRACTS
from tests.support.builders.objects import make_contract
from tests.support.webhooks.registration import register, unregister
from tests.support.webhooks.tokens import dev_token, with_token
from tests.support.webhooks.webhook_process import Folder, prepare, running_webhooks

PLACE: Final = "admitted"
_METRIC: Final = "apiserver_admission_webhook_admission_duration_seconds"
_SHARES: Final = {"p50": 0.5, "p99": 0.99}


async def burst(stage: Stage, ours: Side, operator: OperatorProcess, serves: int) -> dict[str, Any]:
    """Run the burst; the time that the API server waited for its webhooks, in milliseconds."""
    await namespace(ours.kube, PLACE)
    contract = make_contract(name=PLACE, namespaces={"names": [PLACE]})
    await ours.kube.create(RESOURCECONTRACTS, contract)
    async with _admitting(stage, ours.kube) as folder:
        token = dev_token(folder)

        def serve(place: str, name: str) -> Mapping[str, Any]:
            return with_token(phases.modelserve(place, name), token)

        asked, _ = phases.names(PLACE, serves)
        before = await _waited(ours)
        spent = await phases.burst(ours, operator, asked, until=asked, serve=serve)
        waited = counting.since(before, await _waited(ours))
    await clear(ours.client, PLACE)
    await operator.quiet()
    found = {name: 1000 * counting.quantile(waited, share) for name, share in _SHARES.items()}
    return {"calls": waited[max(waited)], "seconds": spent["seconds"], **found}


async def _waited(ours: Side) -> counting.Buckets:
    return counting.buckets(await counting.page(ours.client.session, ours.client.url), _METRIC)


@contextlib.asynccontextmanager
async def _admitting(stage: Stage, kube: KubeClient) -> AsyncIterator[Folder]:
    """A webhooks process that the operator's API server calls while the block runs."""
    folder = prepare(stage.folder / "webhooks")
    quiet = {"ROADSTEAD_LOG_LEVEL": "warning"}
    with running_webhooks(stage.operated, folder, name="a", **quiet) as webhooks:
        async with connect(stage.operated) as api:
            await register(api, webhooks.port, folder)
            await wait_until_called(kube, phases.modelserve(PLACE, "without-a-token"))
            yield folder
            await unregister(api)


async def wait_until_called(kube: KubeClient, serve: Mapping[str, Any]) -> None:
    """Wait until the API server, which watches webhook configurations, denies `serve`."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            await kube.create(MODELSERVES, serve, dry_run=True)
        except KubeError:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the API server does not call the webhook")
