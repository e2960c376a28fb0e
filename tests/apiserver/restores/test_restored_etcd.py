"""After a restore of etcd nothing decides by what was seen before, and only the operator ends.

The cluster is changed after the snapshot, seen so, and set back.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from dev.console.tokens import make_token
from dev.servers.apiclient import connect, install_crds
from dev.servers.apiserver import ApiServer
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import RESOURCECONTRACTS
from roadstead.kube.watch import Watcher
from roadstead.kube.watch_cache import WatchCache
from tests.apiserver.storeless_operator import running_operator
from tests.support.apiserver import fresh_namespace
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.builders.reviews import review
from tests.support.custom_objects import delete, get, patch
from tests.support.forwardauth import auth_process
from tests.support.forwardauth.permitted_server import Site, make_site, make_system
from tests.support.restorable_apiserver import RestorableApiServer, restorable
from tests.support.waiting import assert_eventually
from tests.support.webhooks import webhook_process
from tests.support.webhooks.tokens import dev_token, with_token

OTHERS = {"spec": {"authorization": {"groups": ["others"]}}}


@pytest.fixture
def cluster(binaries: dict[str, Path], tmp_path: Path) -> Iterator[RestorableApiServer]:
    """With the CRDs, and nothing in it."""
    with restorable(binaries, tmp_path) as found:
        asyncio.run(install_crds(found.server))
        asyncio.run(make_system(found.server))
        yield found


async def sites(server: ApiServer, *names: str) -> list[Site]:
    """Servers that alice may use, each in a namespace of its own."""
    async with connect(server) as api:
        return [await make_site(api, await fresh_namespace(api, name)) for name in names]


async def change(server: ApiServer, closed: Site, gone: Site) -> None:
    """Take the one contract from alice's group, and the other away."""
    async with connect(server) as api:
        await patch(api, closed.contract, OTHERS)
        await delete(api, gone.contract)


def opened(auth: auth_process.AuthProcess, *of: Site) -> list[bool]:
    """Whether alice may use them."""
    return [auth.status(site.uuid, make_token()) == 200 for site in of]


def test_forward_auth_decides_by_the_restored_state(
    cluster: RestorableApiServer, tmp_path: Path
) -> None:
    folder = auth_process.prepare(tmp_path)
    closed, gone = asyncio.run(sites(cluster.server, "closed", "gone"))
    server = cluster.snapshot()
    with auth_process.running_auth(server, folder, name="restored") as auth:
        asyncio.run(assert_eventually(lambda: opened(auth, closed, gone) == [True, True]))
        asyncio.run(change(server, closed, gone))
        asyncio.run(assert_eventually(lambda: opened(auth, closed, gone) == [False, False]))
        cluster.restore()
        asyncio.run(assert_eventually(lambda: opened(auth, closed, gone) == [True, True]))
        assert auth.process.poll() is None
    assert "the caches are dropped" in auth.log.read_text()


@contextlib.asynccontextmanager
async def asking(
    webhooks: webhook_process.WebhookProcess, folder: webhook_process.Folder
) -> AsyncIterator[aiohttp.ClientSession]:
    """A connection to the webhooks, as the API server has it."""
    trust = ssl.create_default_context(cadata=folder.ca.decode())
    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(
        f"https://127.0.0.1:{webhooks.port}", connector=connector
    ) as session:
        yield session
    await asyncio.sleep(0.25)  # aiohttp says good-bye on TLS connections after closing.


async def admits(
    webhooks: webhook_process.WebhookProcess, folder: webhook_process.Folder, contract: Raw
) -> bool:
    """Whether a contract is found for a server of alice in the contract's namespace.

    The server names none: a contract that is named is checked when the object is validated.
    """
    (namespace,) = contract["spec"]["namespaces"]["names"]
    serve = make_modelserve(namespace)
    body = review("CREATE", with_token(serve, dev_token(folder)))
    path = f"/mutate/{folder.review_secret}"
    async with asking(webhooks, folder) as session, session.post(path, json=body) as answer:
        return bool((await answer.json())["response"]["allowed"])


async def refuses(
    webhooks: webhook_process.WebhookProcess, folder: webhook_process.Folder, contract: Raw
) -> bool:
    """Whether she may not, which no list of a denial's own can show: she could before."""
    return not await admits(webhooks, folder, contract)


async def test_webhooks_decide_by_the_restored_state(
    cluster: RestorableApiServer, tmp_path: Path
) -> None:
    folder = webhook_process.prepare(tmp_path)
    closed, gone = await sites(cluster.server, "closed", "gone")
    async with connect(cluster.server) as api:
        await patch(api, closed.contract, OTHERS)
    server = cluster.snapshot()
    with webhook_process.running_webhooks(server, folder, name="restored") as webhooks:
        async with connect(server) as api:
            await patch(api, closed.contract, {"spec": closed.contract["spec"]})
            await delete(api, gone.contract)
        await assert_eventually(lambda: admits(webhooks, folder, closed.contract))
        cluster.restore()
        await assert_eventually(lambda: refuses(webhooks, folder, closed.contract))
        await assert_eventually(lambda: admits(webhooks, folder, gone.contract))
        assert webhooks.process.poll() is None


async def test_watches_have_the_restored_state(cluster: RestorableApiServer) -> None:
    closed, gone = await sites(cluster.server, "closed", "gone")
    server, cache = cluster.snapshot(), WatchCache()
    client = await KubeClient.connect(str(server.kubeconfig))
    watching = asyncio.create_task(Watcher(client, cache, RESOURCECONTRACTS).run())

    def groups() -> list[list[str]]:
        return sorted(
            raw["spec"]["authorization"]["groups"] for raw in cache.all(RESOURCECONTRACTS)
        )

    await change(server, closed, gone)
    await assert_eventually(lambda: groups() == [["others"]])
    cluster.restore()
    await assert_eventually(lambda: groups() == [["demo-users"], ["demo-users"]])
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await client.close()


async def is_judged(server: ApiServer, contract: Raw) -> bool:
    """Whether the operator has written a status of the contract as it is now."""
    async with connect(server) as api:
        found = await get(api, contract)
    generation = found["metadata"]["generation"]
    conditions = found.get("status", {}).get("conditions", [])
    return any(each.get("observedGeneration") == generation for each in conditions)


def test_operator_ends_so_that_it_starts_over(cluster: RestorableApiServer, tmp_path: Path) -> None:
    closed, gone = asyncio.run(sites(cluster.server, "closed", "gone"))
    server = cluster.snapshot()
    with running_operator(server, tmp_path, ROADSTEAD_ADMISSION="off") as log:
        asyncio.run(change(server, closed, gone))
        asyncio.run(assert_eventually(lambda: is_judged(server, closed.contract)))
        cluster.restore()
        asyncio.run(
            assert_eventually(lambda: "etcd was restored to an earlier state" in log.read_text())
        )
