"""What became of an upload shows late, or goes again: another run of the transfer is at it too."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from minio import Minio

from dev.servers.objectstore import ObjectStore
from roadstead.api.location import StoreLocation
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from roadstead.transfer.messages import Completed, UrlInput
from tests.adapters.test_transfer import failed, keys, read
from tests.adapters.test_transfer_faults import killed_on_the_way
from tests.support.fault_server import FaultServer
from tests.support.interceptor import Asked, running_interceptor
from tests.support.transfer_process import Ended, job, run_transfer, transfer_environ

Meanwhile = Callable[[Asked], web.Response | None]
GoneOn = Callable[[Meanwhile], Awaitable[Ended]]


@pytest.fixture
def gone_on(faults: FaultServer, store: ObjectStore, target: StoreLocation, sha256: str) -> GoneOn:
    """Goes on with a transfer that was killed; asks first what happens once it was completed."""

    async def gone_on(meanwhile: Meanwhile) -> Ended:
        resume = await asyncio.to_thread(killed_on_the_way, faults, store, target, sha256)
        async with running_interceptor(store.endpoint) as (interceptor, endpoint):
            completed = False

            def before(asked: Asked) -> web.Response | None:
                nonlocal completed
                answer = meanwhile(asked) if completed else None
                completed |= asked.method == "POST" and "uploadId=" in asked.path
                return answer

            interceptor.before = before
            there = dataclasses.replace(target, endpoint=endpoint)
            wanted = job(UrlInput(url=faults.url), there, sha256)
            through = dataclasses.replace(store, endpoint=endpoint)
            environ = transfer_environ(through, allow=f"127.0.0.1:{faults.port}")
            return await asyncio.to_thread(
                run_transfer, dataclasses.replace(wanted, resume=resume), environ
            )

    return gone_on


def once(work: Callable[[], object], *, method: str) -> Meanwhile:
    """Does it before the next request of that method."""
    done = False

    def meanwhile(asked: Asked) -> None:
        nonlocal done
        if asked.method == method and not done:
            done = True
            work()

    return meanwhile


def unseen(times: int) -> Meanwhile:
    """The object is not found so many times."""
    left = times

    def meanwhile(asked: Asked) -> web.Response | None:
        nonlocal left
        if asked.writes or "uploads=" in asked.path or left == 0:
            return None
        left -= 1
        return web.Response(status=404)

    return meanwhile


async def test_model_that_is_shown_late_is_waited_for(
    gone_on: GoneOn, client: Minio, target: StoreLocation, content: bytes
) -> None:
    ended = await gone_on(unseen(2))
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, target) == content


async def test_model_that_is_never_shown_is_left_to_the_next_run(
    gone_on: GoneOn, client: Minio, target: StoreLocation
) -> None:
    ended = await gone_on(unseen(1000))
    assert "doesn't show it yet" in failed(ended, "StoreObjectMissing").message
    assert keys(client, target) == [target.path]


async def test_run_whose_object_another_one_removed_to_begin_anew_leaves_the_transfer_to_it(
    gone_on: GoneOn, access: StoreAccess, client: Minio, target: StoreLocation
) -> None:
    def begun_anew() -> None:
        client.remove_object(target.bucket, target.path)
        Multipart(access).create(target, {})

    failed(await gone_on(once(begun_anew, method="HEAD")), "TransferDisplaced")
    assert keys(client, target) == []


async def test_run_whose_object_went_while_it_was_read_brings_it_again(
    gone_on: GoneOn, client: Minio, target: StoreLocation, content: bytes
) -> None:
    def gone() -> None:
        client.remove_object(target.bucket, target.path)

    ended = await gone_on(once(gone, method="GET"))
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, target) == content
