"""Completed objects become visible late or disappear: another run works on the same transfer."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from aiohttp import web
from minio import Minio

from dev.servers.objectstore import ObjectStore
from roadstead.api.model import StoreLocation
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from roadstead.transfer.messages import Completed, UrlInput
from tests.adapters.test_transfer import failed, keys, read
from tests.adapters.test_transfer_faults import kill_midway
from tests.support.fault_server import FaultServer
from tests.support.interceptor import Asked, running_interceptor
from tests.support.transfer_process import Ended, job, run_transfer, transfer_environ

Meanwhile = Callable[[Asked], web.Response | None]
ResumeTransfer = Callable[[Meanwhile], Awaitable[Ended]]


@pytest.fixture
def resume_transfer(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, sha256: str
) -> ResumeTransfer:
    """Resumes a killed transfer; `meanwhile` intercepts requests after its completion."""

    async def resume_transfer(meanwhile: Meanwhile) -> Ended:
        resume = await asyncio.to_thread(kill_midway, faults, store, target, sha256)
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
                run_transfer, msgspec.structs.replace(wanted, resume=resume), environ
            )

    return resume_transfer


def once(work: Callable[[], object], *, method: str) -> Meanwhile:
    """Call `work` before the next request of that method."""
    done = False

    def meanwhile(asked: Asked) -> None:
        nonlocal done
        if asked.method == method and not done:
            done = True
            work()

    return meanwhile


def hide(times: int) -> Meanwhile:
    """Respond to so many reads that the object doesn't exist."""
    left = times

    def meanwhile(asked: Asked) -> web.Response | None:
        nonlocal left
        if asked.writes or "uploads=" in asked.path or left == 0:
            return None
        left -= 1
        return web.Response(status=404)

    return meanwhile


async def test_object_that_becomes_visible_late_is_waited_for(
    resume_transfer: ResumeTransfer, client: Minio, target: StoreLocation, content: bytes
) -> None:
    ended = await resume_transfer(hide(2))
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, target) == content


async def test_run_fails_if_its_object_does_not_become_visible(
    resume_transfer: ResumeTransfer, client: Minio, target: StoreLocation
) -> None:
    ended = await resume_transfer(hide(1000))
    assert "doesn't show it yet" in failed(ended, "StoreObjectMissing").message
    assert keys(client, target) == [target.path]


async def test_run_is_displaced_if_another_run_removed_its_object_and_restarted(
    resume_transfer: ResumeTransfer, access: StoreAccess, client: Minio, target: StoreLocation
) -> None:
    def restart() -> None:
        client.remove_object(target.bucket, target.path)
        Multipart(access).create(target, {})

    failed(await resume_transfer(once(restart, method="HEAD")), "TransferDisplaced")
    assert keys(client, target) == []


async def test_object_that_is_removed_during_verification_is_uploaded_again(
    resume_transfer: ResumeTransfer, client: Minio, target: StoreLocation, content: bytes
) -> None:
    def remove() -> None:
        client.remove_object(target.bucket, target.path)

    ended = await resume_transfer(once(remove, method="GET"))
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, target) == content
