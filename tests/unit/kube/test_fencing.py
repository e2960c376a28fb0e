"""The fence of the API client: writes are not sent."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

from roadstead.errors import KubeNotFound, LeaseLost
from roadstead.fence import FOREVER, Fence
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.kube_fencing import fenced
from roadstead.kube.resources import MODELS

MODEL = {"apiVersion": "model.example.com/v1alpha1", "kind": "Model", "metadata": {"name": "a"}}


class Server:
    """Answers every request with 404 and records it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.asked_once = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.method)
        self.asked_once.set()
        await self.gate.wait()
        return web.json_response({"message": "not here"}, status=404)


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, str]]:
    found = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield found, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def client(url: str, fence: Fence, *, connections: int = 4) -> KubeClient:
    configuration = Configuration(host=url)
    configuration.connection_pool_maxsize = connections
    configuration.client_session_kwargs = {"request_class": fenced(fence)}
    return KubeClient(ApiClient(configuration))


async def test_writes_are_fenced_and_reads_are_not(
    server: tuple[Server, str],
) -> None:
    found, url = server
    kube = client(url, Fence.shared())
    for attempt in (
        kube.create(MODELS, MODEL),
        kube.apply(MODELS, MODEL),
        kube.replace_status(MODELS, MODEL),
        kube.patch(MODELS, "a", {"metadata": {}}),
        kube.delete(MODELS, "a"),
    ):
        with pytest.raises(LeaseLost):
            await attempt
    with pytest.raises(KubeNotFound):
        await kube.get(MODELS, "a")
    await kube.close()
    assert found.asked == ["GET"]


async def test_a_write_that_waited_for_a_connection_is_fenced(
    server: tuple[Server, str],
) -> None:
    found, url = server
    fence = Fence.shared(FOREVER)
    kube = client(url, fence, connections=1)
    found.gate.clear()
    reading = asyncio.create_task(kube.get(MODELS, "a"))
    await found.asked_once.wait()
    writing = asyncio.create_task(kube.delete(MODELS, "a"))
    await asyncio.sleep(0.05)
    fence.move(0)
    found.gate.set()
    results = await asyncio.gather(reading, writing, return_exceptions=True)
    await kube.close()
    assert [type(each) for each in results] == [KubeNotFound, LeaseLost]
    assert found.asked == ["GET"]


class Closing(Fence):
    """A fence that allows one write and is closed then."""

    def check(self) -> None:
        super().check()
        self.move(0)


async def test_a_write_of_a_paused_process_is_fenced(
    server: tuple[Server, str],
) -> None:
    found, url = server
    kube = client(url, Closing.shared(FOREVER))
    with pytest.raises(LeaseLost):
        await kube.create(MODELS, MODEL)
    with pytest.raises(KubeNotFound):
        await kube.get(MODELS, "a")
    await kube.close()
    assert found.asked == ["GET"]
