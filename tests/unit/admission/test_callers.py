"""Recognition of the API server, and rejection of other callers."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from roadstead.errors import InvalidSettings
from roadstead.kube.kube_client import Object
from roadstead.kube.kube_events import EventRecorder
from roadstead.kube.resources import Resource
from roadstead_webhooks.admission.callers import CertifiedCallers, PathCallers, _common_names
from roadstead_webhooks.admission.denials import Denials
from roadstead_webhooks.admission.endpoints import Endpoints
from roadstead_webhooks.admission.exposure import Exposure
from roadstead_webhooks.admission.offload import LARGE_EFFORT, MAX_LARGE_REVIEWS, Offload
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest
from tests.support.builders.reviews import NOW, review, thing
from tests.support.waiting import assert_eventually

# Equal in every process, since they are in the ids of tests.
SECRET = "5ec7" * 16
OTHER = "07e4" * 16
LONG_AGO = NOW - datetime.timedelta(days=1)
Client = TestClient[web.Request, web.Application]


class Asked:
    """Records requests and allows all of them."""

    def __init__(self) -> None:
        self.requests: list[AdmissionRequest] = []

    async def mutate(self, request: AdmissionRequest) -> AdmissionAnswer:
        """As in Decisions."""
        self.requests.append(request)
        return AdmissionAnswer(allowed=True, reason="Signed")

    validate = mutate


class Slow(Asked):
    """Decides once `released` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.released = asyncio.Event()

    async def mutate(self, request: AdmissionRequest) -> AdmissionAnswer:
        """As in Decisions."""
        answer = await super().mutate(request)
        await self.released.wait()
        return answer


class NoEvents:
    """Discards events."""

    async def create(self, resource: Resource, body: Any) -> Object:
        """As KubeClient."""
        raise AssertionError(f"an event was posted: {body}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two secrets, one of them not active yet."""
    (tmp_path / "0").write_text(SECRET)
    (tmp_path / "99999999999").write_text(OTHER)
    return tmp_path


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def offload() -> Iterator[Offload]:
    made = Offload()
    yield made
    made.close()


def silent() -> Denials:
    """Return denials that post no events."""
    return Denials(EventRecorder(NoEvents(), instance="a"))


@contextlib.asynccontextmanager
async def served(endpoints: Endpoints) -> AsyncIterator[Client]:
    app = web.Application()
    app.add_routes(endpoints.routes())
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
async def client(folder: Path, asked: Asked, offload: Offload) -> AsyncIterator[Client]:
    exposure = Exposure(lambda: NOW)
    async with served(Endpoints(PathCallers(folder), exposure, asked, silent(), offload)) as made:
        yield made


@pytest.mark.parametrize("secret", [SECRET, OTHER], ids=["in use", "announced"])
@pytest.mark.parametrize("path", ["/mutate", "/validate"])
async def test_caller_with_a_secret_is_answered(
    client: Client, asked: Asked, path: str, secret: str
) -> None:
    async with client.post(f"{path}/{secret}", json=review("CREATE", thing())) as answer:
        assert (await answer.json())["response"]["allowed"]
    assert len(asked.requests) == 1


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        ("", 403),
        ("/", 404),
        ("/0", 403),
        (f"/{SECRET[:-1]}", 403),
        (f"/{SECRET.upper()}x", 403),
        (f"/{SECRET}/", 404),
        (f"/x/{SECRET}", 404),
        (f"?secret={SECRET}", 403),
        ("/%ff%00", 403),
        (f"/{'0b9d' * 16}", 403),
    ],
)
@pytest.mark.parametrize("path", ["/mutate", "/validate"])
async def test_caller_without_a_secret_is_rejected(
    client: Client, asked: Asked, path: str, rest: str, status: int
) -> None:
    async with client.post(f"{path}{rest}", json=review("CREATE", thing())) as answer:
        assert answer.status == status
        assert SECRET not in await answer.text()
    assert asked.requests == []


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/"])
async def test_only_reviews_are_served(client: Client, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.status == 404


async def test_connection_of_an_untrusted_caller_is_closed(client: Client) -> None:
    async with client.post("/mutate", data=b"{" * 2**20) as answer:
        assert answer.status == 403
        assert answer.headers["Connection"] == "close"


async def test_aborted_request_counts_as_exposure_of_the_secret(
    folder: Path, offload: Offload
) -> None:
    exposure, slow = Exposure(lambda: NOW), Slow()
    exposure.last = LONG_AGO
    endpoints = Endpoints(PathCallers(folder), exposure, slow, silent(), offload)
    async with served(endpoints) as client:

        async def ask() -> None:
            await client.post(f"/mutate/{SECRET}", json=review("CREATE", thing()))

        asking = asyncio.create_task(ask())
        await assert_eventually(lambda: slow.requests)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await assert_eventually(lambda: not connections(client))
        slow.released.set()
        await assert_eventually(lambda: exposure.last == NOW)


def connections(client: Client) -> list[Any]:
    """Return the connections that the server has not closed."""
    runner = client.server.runner
    assert runner is not None
    assert runner.server is not None
    return list(runner.server.connections)


async def test_large_reviews_above_the_limit_are_rejected(
    client: Client, asked: Asked, offload: Offload
) -> None:
    head = {"kind": "", "apiVersion": ""}
    asking = {**head, **review("CREATE", thing(spec={"x": "x" * LARGE_EFFORT}), uid="0a-1")}
    body = json.dumps(asking, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json"}
    async with contextlib.AsyncExitStack() as stack:
        for number in range(MAX_LARGE_REVIEWS):
            place = offload.admitting(LARGE_EFFORT + 1, namespace="ab"[number % 2])
            await stack.enter_async_context(place)
        async with client.post(f"/mutate/{SECRET}", data=body, headers=headers) as answer:
            response = (await answer.json())["response"]
    assert response["uid"] == "0a-1"
    assert response["status"]["code"] == 429
    assert response["status"]["details"] == {"retryAfterSeconds": 1}
    assert asked.requests == []


def test_changed_secrets_are_read_again(folder: Path) -> None:
    callers = PathCallers(folder)
    assert not callers.reload()
    (folder / "0").unlink()
    assert callers.reload()


def test_folder_without_a_secret_raises_with_advice(tmp_path: Path) -> None:
    (tmp_path / "0").write_text("short")
    with pytest.raises(InvalidSettings, match="ROADSTEAD_REVIEW_PATHS_SECRET"):
        PathCallers(tmp_path)


def test_common_names_of_a_certificate_are_those_of_its_subject() -> None:
    names = ((("organizationName", "system:masters"),), (("commonName", "kube-apiserver"),))
    assert _common_names({"subject": names, "issuer": ((("commonName", "ca"),),)}) == {
        "kube-apiserver"
    }
    assert _common_names({}) == frozenset()


async def test_connection_without_a_certificate_is_untrusted(
    asked: Asked, offload: Offload
) -> None:
    callers = CertifiedCallers(names=frozenset({"kube-apiserver"}))
    endpoints = Endpoints(callers, Exposure(lambda: NOW), asked, silent(), offload)
    async with (
        served(endpoints) as client,
        client.post("/mutate", json=review("CREATE", thing())) as answer,
    ):
        assert answer.status == 403
    assert asked.requests == []
