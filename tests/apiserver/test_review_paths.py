"""The secret in the webhooks' paths, on a real API server: replaced in use, and put right."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from kubernetes.aio import client

from roadstead.kube.kube_client import KubeClient
from roadstead_webhooks.admission.callers import VARIABLE, PathCallers
from roadstead_webhooks.admission.exposure import Exposure
from roadstead_webhooks.certificates.configurations import CONFIGURATIONS
from roadstead_webhooks.certificates.keeper import Keeper, Places
from roadstead_webhooks.certificates.path_rotation import PathSchedule
from roadstead_webhooks.serving_tls import FileCertificates
from tests.apiserver.test_certificates import configuration, kube
from tests.support.waiting import assert_eventually

__all__ = ["configuration", "kube"]

QUICK = PathSchedule(
    lifetime=datetime.timedelta(seconds=12),
    announced=datetime.timedelta(seconds=8),
    kept=datetime.timedelta(seconds=8),
)
"""Minutes in seconds. Each is longer than two passes and the API server's watch, on a busy machine
too."""


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def keeper(
    kube: KubeClient,
    namespace: str,
    configuration: str,
    folder: Path,
    schedule: PathSchedule | None = None,
) -> Keeper:
    """One replica, with a folder of its own."""
    places = Places(
        namespace=namespace,
        tls_secret="tls",
        tls_folder=folder / "tls",
        configuration=configuration,
        names=("127.0.0.1",),
        receipts_secret="",
        receipts_folder=folder / "receipts",
        receipt_keys="receipt-keys",
        paths_secret="paths",
        paths_folder=folder / "paths",
    )
    quick = schedule or PathSchedule()
    return Keeper(kube, places, clock=_now, path_schedule=quick, pause=0.3)


async def secrets_in_use(kube: KubeClient, name: str) -> set[str]:
    """The last part of every webhook's path."""
    found = [await kube.get(resource, name) for resource in CONFIGURATIONS]
    urls = [hook["clientConfig"]["url"] for each in found for hook in each["webhooks"]]
    return {urlsplit(url).path.rpartition("/")[2] for url in urls}


async def test_every_webhook_is_called_at_one_secret_path_of_its_own_kind(
    kube: KubeClient, namespace: str, configuration: str, tmp_path: Path
) -> None:
    await keeper(kube, namespace, configuration, tmp_path).begin()
    (secret,) = await secrets_in_use(kube, configuration)
    assert len(secret) == 64
    for resource, path in CONFIGURATIONS.items():
        for hook in (await kube.get(resource, configuration))["webhooks"]:
            assert urlsplit(hook["clientConfig"]["url"]).path == f"{path}/{secret}"


async def test_replicas_that_start_at_once_take_the_same_secret(
    kube: KubeClient, namespace: str, configuration: str, tmp_path: Path
) -> None:
    folders = [tmp_path / str(number) for number in range(5)]
    replicas = [keeper(kube, namespace, configuration, folder) for folder in folders]
    await asyncio.gather(*(replica.begin() for replica in replicas))
    (secret,) = await secrets_in_use(kube, configuration)
    for folder in folders:
        assert {path.read_text() for path in (folder / "paths").iterdir() if path.is_file()} == {
            secret
        }


async def test_a_path_that_was_changed_is_put_right(
    kube: KubeClient, namespace: str, configuration: str, tmp_path: Path
) -> None:
    replica = keeper(kube, namespace, configuration, tmp_path)
    await replica.begin()
    before = await secrets_in_use(kube, configuration)
    for resource in CONFIGURATIONS:
        found = await kube.get(resource, configuration)
        found["webhooks"][0]["clientConfig"]["url"] = "https://127.0.0.1/validate"
        await kube.patch(resource, configuration, {"webhooks": found["webhooks"]})
    await replica.pass_once()
    assert await secrets_in_use(kube, configuration) == before


async def test_given_bundle_and_address_stay_as_they_are(
    kube: KubeClient, namespace: str, configuration: str, tmp_path: Path
) -> None:
    bundle = base64.b64encode(b"of somebody else").decode()
    places = Places(
        namespace=namespace,
        tls_secret="",
        tls_folder=tmp_path / "tls",
        configuration=configuration,
        names=(),
        receipts_secret="",
        receipts_folder=tmp_path / "receipts",
        receipt_keys="",
        paths_secret="paths",
        paths_folder=tmp_path / "paths",
    )
    service = {"name": "webhooks", "namespace": namespace, "port": 443}
    for resource in CONFIGURATIONS:
        found = await kube.get(resource, configuration)
        for hook in found["webhooks"]:
            hook["clientConfig"] = {"service": service, "caBundle": bundle, "url": None}
        await kube.patch(resource, configuration, {"webhooks": found["webhooks"]})
    await Keeper(kube, places, clock=_now).begin()
    for resource, path in CONFIGURATIONS.items():
        for hook in (await kube.get(resource, configuration))["webhooks"]:
            found = dict(hook["clientConfig"]["service"])
            assert found.pop("path").startswith(f"{path}/")
            assert found == service
            assert hook["clientConfig"]["caBundle"] == bundle


@pytest.mark.fault("R13", heals="nothing to recover: no call fails")
async def test_a_secret_is_replaced_under_load_without_a_failed_call(
    kube: KubeClient, api: client.ApiClient, namespace: str, configuration: str, tmp_path: Path
) -> None:
    # Three quarters of a minute, as the schedule has it.
    folders = [tmp_path / str(number) for number in range(2)]
    asked: set[tuple[Path, str]] = set()
    replicas = [keeper(kube, namespace, configuration, each, QUICK) for each in folders]
    await asyncio.gather(*(replica.begin() for replica in replicas))
    (first,) = await secrets_in_use(kube, configuration)
    async with contextlib.AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(server(folder, asked)) for folder in folders]
        await point(kube, configuration, ports)
        await assert_eventually(functools.partial(all_asked, api, namespace, asked))
        over, seen = asyncio.Event(), {first}
        loops = [asyncio.create_task(replica.run()) for replica in replicas]
        calls = asyncio.create_task(call_until(over, api, namespace))

        async def replaced() -> bool:
            """Twice, and the first is taken by no replica any more."""
            seen.update(await secrets_in_use(kube, configuration))
            held = [PathCallers(folder / "paths") for folder in folders]
            return len(seen) >= 3 and not any(knows(each, first) for each in held)

        await assert_eventually(replaced, timeout=300)
        over.set()
        for loop in loops:
            loop.cancel()
        await calls
        await asyncio.gather(*loops, return_exceptions=True)


def knows(callers: PathCallers, secret: str) -> bool:
    """Whether a request at that path would be believed."""
    return secret.encode() in callers.secrets


async def test_secret_that_may_have_been_shown_is_replaced(
    kube: KubeClient, namespace: str, configuration: str, tmp_path: Path
) -> None:
    clock = [_now()]
    exposure = Exposure(lambda: clock[0])
    places = Places(
        namespace=namespace,
        tls_secret="",
        tls_folder=tmp_path,
        configuration=configuration,
        names=(),
        receipts_secret="",
        receipts_folder=tmp_path,
        receipt_keys="",
        paths_secret="paths",
        paths_folder=tmp_path / "paths",
    )
    replica = Keeper(kube, places, clock=lambda: clock[0], exposure=exposure)
    await replica.begin()
    (shown,) = await secrets_in_use(kube, configuration)
    for seconds in (61, 31, 61):
        clock[0] += datetime.timedelta(seconds=seconds)
        if seconds == 61:
            exposure.mark()
        await replica.pass_once()
    await replica.pass_once()
    (now,) = await secrets_in_use(kube, configuration)
    assert now != shown
    assert not knows(PathCallers(tmp_path / "paths"), shown)


@contextlib.asynccontextmanager
async def server(folder: Path, asked: set[tuple[Path, str]]) -> AsyncIterator[int]:
    """Allows everything that is asked at a secret path; `asked` gets the kinds of its paths."""
    callers = PathCallers(folder / "paths")

    async def allow(request: web.Request) -> web.Response:
        callers.reload()
        if not callers.trusts(request):
            return web.Response(status=403, text="not believed")
        asked.add((folder, request.path.rpartition("/")[0]))
        uid = (await request.json())["request"]["uid"]
        review = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": uid, "allowed": True},
        }
        return web.json_response(review)

    certificates = FileCertificates(folder / "tls", poll=0.2)
    app = web.Application()
    for path in CONFIGURATIONS.values():
        app.router.add_post(f"{path}/{{{VARIABLE}}}", allow)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        context = await certificates.context()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def point(kube: KubeClient, name: str, ports: list[int]) -> None:
    """Have the API server ask both servers about each object, at the paths that it has."""
    for resource in CONFIGURATIONS:
        found = await kube.get(resource, name)
        for hook, port in zip(found["webhooks"], ports, strict=True):
            path = urlsplit(hook["clientConfig"]["url"]).path
            hook["clientConfig"]["url"] = f"https://127.0.0.1:{port}{path}"
        await kube.patch(resource, name, {"webhooks": found["webhooks"]})


async def all_asked(api: client.ApiClient, namespace: str, asked: set[tuple[Path, str]]) -> bool:
    """Whether the API server, which learns of each configuration apart, asks all four webhooks."""
    await call(api, namespace)
    return len(asked) == 4


async def call_until(over: asyncio.Event, api: client.ApiClient, namespace: str) -> None:
    """Create objects that are asked about until it is over; AssertionError with a refusal."""
    while not over.is_set():
        await call(api, namespace)


async def call(api: client.ApiClient, namespace: str) -> bool:
    """Create one; AssertionError if it was refused."""
    meta = client.V1ObjectMeta(generate_name="asked-", labels={"asks": "us"})
    try:
        await client.CoreV1Api(api).create_namespaced_config_map(
            namespace, client.V1ConfigMap(metadata=meta)
        )
    except client.ApiException as error:
        raise AssertionError(error.body) from None
    return True
