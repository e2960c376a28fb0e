"""After a restore of etcd nothing decides by what was seen before.

The cluster is changed after the snapshot, seen so, and set back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.console.tokens import make_token
from dev.servers.apiclient import connect, install_crds
from dev.servers.apiserver import ApiServer
from tests.support.apiserver import fresh_namespace
from tests.support.custom_objects import delete, patch
from tests.support.forwardauth import auth_process
from tests.support.forwardauth.permitted_server import Site, make_site, make_system
from tests.support.restorable_apiserver import RestorableApiServer, restorable
from tests.support.waiting import assert_eventually

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
