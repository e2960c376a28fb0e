"""With unavailable or untrusted webhooks only deletions are allowed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import pytest
from kubernetes.aio import client

from dev.servers import toxiproxy
from dev.servers.apiserver import ApiServer
from dev.servers.toxiproxy import Link
from tests.apiserver.admission.balancer import Balancer
from tests.apiserver.admission.conftest import MakeToken
from tests.apiserver.admission.link import leading_through
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.certificates import write_certificate
from tests.support.custom_objects import call, create, delete, patch, path, refusal
from tests.support.faults_table import Healing
from tests.support.waiting import assert_eventually
from tests.support.webhooks.tokens import with_token
from tests.support.webhooks.webhook_process import Folder, running_webhooks

FAILED: Final = "failed calling webhook"
Fault = Callable[[Link], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def link(balancer: Balancer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Link]:
    """Return the connection to the webhooks."""
    with (
        toxiproxy.running(tmp_path_factory.mktemp("toxiproxy")) as proxies,
        proxies.link("webhooks", f"127.0.0.1:{balancer.port}") as made,
    ):
        yield made


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda link: link.disconnected(), id="away"),
        pytest.param(lambda link: link.toxic("latency", latency=5000), id="slow"),
        pytest.param(lambda link: link.toxic("timeout", timeout=0), id="silent"),
    ],
)
@pytest.mark.fault("R13", heals="creates and updates are refused meanwhile; deletions work")
async def test_without_webhooks_creates_and_updates_are_denied_and_deletions_allowed(
    api: client.ApiClient,
    namespace: str,
    contract: Raw,
    token: MakeToken,
    link: Link,
    healing: Healing,
    wrong: Fault,
) -> None:
    body = make_modelserve(namespace)
    body["metadata"]["finalizers"] = ["example.com/wait"]
    serve = await create(api, with_token(body, token()))
    other = with_token(make_modelserve(namespace), token())
    async with leading_through(api, link.address, seconds=1):
        with wrong(link):
            await assert_eventually(lambda: says(api, other, FAILED))
            await nothing_changes(api, serve)
            await all_may_go(api, serve)
            assert await stored(api, namespace) == []
        with healing():
            await assert_eventually(lambda: says(api, other, "admitted"))


@pytest.mark.fault("R13", heals="requests are answered within seconds of the renewal")
async def test_expired_certificate_denies_everything_until_it_is_renewed(
    apiserver: ApiServer,
    api: client.ApiClient,
    namespace: str,
    contract: Raw,
    token: MakeToken,
    folder: Folder,
    tmp_path: Path,
    healing: Healing,
) -> None:
    other = with_token(make_modelserve(namespace), token())
    write_certificate(tmp_path, days=-1)
    settings = {"name": "ended", "ROADSTEAD_TLS_DIR": str(tmp_path)}
    with running_webhooks(apiserver, folder, **settings) as server:
        async with leading_through(api, f"127.0.0.1:{server.port}", seconds=5):
            await assert_eventually(lambda: says(api, other, "certificate has expired"))
            shutil.copytree(folder.path / "tls", tmp_path, dirs_exist_ok=True)
            with healing():
                await assert_eventually(lambda: says(api, other, "admitted"))


async def says(api: client.ApiClient, body: Raw, words: str) -> bool:
    """Return whether a create gets this answer; `admitted` if it is allowed.

    A dry run: as long as the API server knows of no other address, what is made would stay.
    """
    dry = call(api, "POST", f"{path(body, named=False)}?dryRun=All", body)
    return words in await refusal(dry, allowed="admitted")


async def nothing_changes(api: client.ApiClient, serve: Raw) -> None:
    label = {"metadata": {"labels": {"team": "a"}}}
    assert FAILED in await refusal(patch(api, serve, label))
    assert FAILED in await refusal(patch(api, serve, {"spec": {"replicas": 2}}))
    assert FAILED in await refusal(patch(api, serve, {"spec": {"replicas": 2}}, "scale"))


async def all_may_go(api: client.ApiClient, serve: Raw) -> None:
    """Check that status, deletion and finalizers need no webhook."""
    await patch(api, serve, {"status": {"replicas": 1}}, "status")
    await delete(api, serve)
    await patch(api, serve, {"metadata": {"finalizers": None}})


async def stored(api: client.ApiClient, namespace: str) -> list[Raw]:
    path = f"/apis/model.example.com/v1alpha1/namespaces/{namespace}/modelserves"
    items: list[Raw] = (await call(api, "GET", path))["items"]
    return items
