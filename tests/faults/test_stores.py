"""The store is away, silent, slow, failing or full, has other keys, or lost its bucket."""

import asyncio
import base64
import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from dev.servers import objectstore
from dev.servers.apiserver import ApiServer
from dev.servers.process import answers, free_port
from dev.servers.toxiproxy import Link, Toxiproxy
from tests.faults.aftermath import Scene, aftermath
from tests.faults.stores import Catalogue, at, named, said, with_store
from tests.support import volumes
from tests.support.builders.objects import Raw, fresh_name
from tests.support.faults_table import Healing
from tests.support.interceptor import Asked, intercepting
from tests.support.operator.namespace import Operated
from tests.support.operator.operator_process import operator_process
from tests.support.operator.pods import post_pod
from tests.support.store_client import minio
from tests.support.waiting import assert_eventually

MIB = 2**20
Outage = Callable[[Link], contextlib.AbstractContextManager[None]]


@pytest.fixture
async def scene(operated: Operated, apiserver: ApiServer, tmp_path: Path) -> Scene:
    """An operator of the test's own."""
    return await named(operated, apiserver, tmp_path)


@pytest.fixture
def catalogue(scene: Scene) -> Catalogue:
    """Of the test's operator."""
    return Catalogue(operated=scene.operated)


@pytest.fixture
def link(operated: Operated, proxies: Toxiproxy) -> Iterator[Link]:
    """What the store is reached through."""
    upstream = operated.site.store.endpoint.removeprefix("http://")
    with proxies.link(fresh_name("store"), upstream) as found:
        yield found


def _environ(scene: Scene, link: Link) -> dict[str, str]:
    return _settings(scene, **at(f"http://{link.address}", scene.operated.site.store))


def _settings(scene: Scene, **changes: str) -> dict[str, str]:
    return scene.operated.site.environ(scene.operated.kubeconfig, **changes)


@pytest.mark.fault(
    "R10", heals="transfers, by themselves; verified Models stay Ready and are served meanwhile"
)
@pytest.mark.long
@pytest.mark.parametrize(
    "outage",
    [
        pytest.param(Link.away, id="refuses"),
        pytest.param(lambda link: link.toxic("timeout", timeout=0), id="says-nothing"),
    ],
)
async def test_store_that_does_not_answer_holds_up_only_what_needs_it(
    scene: Scene,
    catalogue: Catalogue,
    link: Link,
    healing: Healing,
    outage: Outage,
) -> None:
    environ = _environ(scene, link)
    async with operator_process(environ, scene.log):
        kept = await catalogue.verified(await catalogue.asked())
    with contextlib.ExitStack() as wrong:
        wrong.enter_context(outage(link))
        async with operator_process(environ, scene.log):
            asked = [await catalogue.asked() for _ in range(10)]
            await catalogue.is_served(kept)
            for each in asked:
                await catalogue.told(each, "StoreUnreachable")
            wrong.close()
            with healing():
                for each in asked:
                    await catalogue.verified(each)
            await aftermath(scene)


@pytest.mark.fault(
    "R10", heals="the transfer continues at the store's pace, and doesn't start again"
)
async def test_slow_store_is_waited_for(
    scene: Scene, catalogue: Catalogue, link: Link, healing: Healing
) -> None:
    async with operator_process(_environ(scene, link), scene.log):
        with (
            link.toxic("latency", latency=500),
            link.toxic("bandwidth", stream="upstream", rate=1000),
        ):
            model = await catalogue.asked(24 * MIB)
            await assert_eventually(lambda: _under_way(scene.operated, model), timeout=120)
        with healing():
            await catalogue.verified(model)
        await aftermath(scene)
    assert said(scene.log, "the transfer ended: Completed") == 1
    assert said(scene.log, "the transfer ended: Store") == 0


async def _under_way(operated: Operated, model: Raw) -> bool:
    found = await operated.says(model, "Stored", "Transferring")
    return bool(found["status"]["transfer"].get("bytesDone", 0) > 2 * MIB)


@pytest.mark.fault("R10", heals="transfers, within half a minute of the store's recovery")
@pytest.mark.long
async def test_store_that_answers_503_is_asked_now_and_then(
    scene: Scene, catalogue: Catalogue, healing: Healing
) -> None:
    async with intercepting(scene.operated.site.store.endpoint) as (store, endpoint):
        environ = _settings(scene, **at(endpoint, scene.operated.site.store))
        async with operator_process(environ, scene.log):
            kept = await catalogue.verified(await catalogue.asked())
            store.before = _busy
            models = [await catalogue.asked() for _ in range(5)]
            for each in models:
                await catalogue.told(each, "StoreBusy")
            await catalogue.is_served(kept)
            asked = len(store.asked)
            await asyncio.sleep(15)
            assert len(store.asked) - asked <= 30
            store.before = lambda _: None
            with healing():
                for each in models:
                    await catalogue.verified(each)
            await aftermath(scene)


def _busy(_: Asked) -> web.Response:
    body = "<Error><Code>SlowDown</Code><Message>Please reduce your rate</Message></Error>"
    later = {"Retry-After": "600"}
    return web.Response(status=503, text=body, content_type="application/xml", headers=later)


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """A file system that is smaller than the model."""
    with volumes.small(tmp_path) as found:
        yield found


@pytest.mark.fault("R10", heals="the transfer, with the parts it has, as soon as there is space")
async def test_full_store_gets_the_rest_when_it_has_space(
    scene: Scene, catalogue: Catalogue, healing: Healing, small_volume: Path
) -> None:
    with objectstore.running(small_volume) as store:
        environ = _settings(scene, **at(store.endpoint, store))
        async with operator_process(environ, scene.log):
            model = await catalogue.asked(50 * MIB)
            await catalogue.told(model, "StoreFull")
            _grow(small_volume)
            with healing():
                await catalogue.verified(model)
            await aftermath(with_store(scene, store))
    assert said(scene.log, "resuming with") >= 1


def _grow(volume: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", str(volume)], check=True)


@pytest.mark.fault(
    "R10", heals="everything, once the operator's Secret has the new keys; the pods' URLs too"
)
@pytest.mark.long
async def test_keys_that_are_rotated_are_taken_up(
    scene: Scene, catalogue: Catalogue, healing: Healing, tmp_path: Path
) -> None:
    folder, port = tmp_path / "store", free_port()
    mounted = tmp_path / "mounted-secret-key"
    with contextlib.ExitStack() as before:
        store = before.enter_context(objectstore.running(folder, port=port))
        mounted.write_text(store.secret_key)
        keys = {**at(store.endpoint, store), "ROADSTEAD_STORE_SECRET_KEY_FILE": str(mounted)}
        async with operator_process(_settings(scene, **keys), scene.log):
            serve = await catalogue.is_served(await catalogue.asked())
            await post_pod(scene.operated, await scene.operated.served(serve), node="node-1")
            assert await _opens(scene.operated, serve)
            before.close()
            store.secret_key_file.write_text("another-secret-key")
            with objectstore.running(folder, port=port):
                model = await catalogue.asked()
                await catalogue.told(model, "StoreDenied")
                assert not await _opens(scene.operated, serve)
                mounted.write_text("another-secret-key")
                with healing():
                    await catalogue.verified(model)
                    await assert_eventually(lambda: _opens(scene.operated, serve), timeout=120)
                await aftermath(with_store(scene, store))


async def _opens(operated: Operated, serve: Raw) -> bool:
    """Whether a pod of this server could fetch its model."""
    secret = await operated.child("secrets", f"{serve['metadata']['name']}-fetch")
    url = base64.b64decode(secret["data"]["url"]).decode()
    return await asyncio.to_thread(answers, url)


@pytest.mark.fault("R10", heals="the bucket is created again, and its models are transferred again")
async def test_bucket_that_is_deleted_is_filled_again(
    scene: Scene, catalogue: Catalogue, healing: Healing
) -> None:
    bucket, client = fresh_name("bucket"), minio(scene.operated.site.store)
    environ = _settings(scene, ROADSTEAD_RESYNC_SECONDS="10")
    async with operator_process(environ, scene.log):
        model = await catalogue.verified(await catalogue.asked(minioBucket=bucket))
    client.remove_object(bucket, model["status"]["minioPath"])
    client.remove_bucket(bucket)
    async with operator_process(environ, scene.log):
        other = await catalogue.asked(minioBucket=bucket)
        with healing():
            await catalogue.verified(other)
            held = model["status"]["minioPath"]
            await assert_eventually(lambda: scene.operated.site.holds(bucket, held), timeout=180)
            await catalogue.verified(model)
        await aftermath(scene)
