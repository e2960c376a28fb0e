"""Certificates and receipt keys on a real API server: replicas that race, and a rotation in use."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from kubernetes.aio import client
from prometheus_client import REGISTRY

from dev.servers.apiserver import ApiServer
from roadstead.kube.kube_client import KubeClient
from roadstead_webhooks.certificates.configurations import CONFIGURATIONS
from roadstead_webhooks.certificates.keeper import Keeper, Places
from roadstead_webhooks.certificates.schedule import SCHEDULE, Schedule
from roadstead_webhooks.serving_tls import FileCertificates
from tests.support.builders.objects import fresh_name
from tests.support.waiting import assert_eventually

QUICK = Schedule(
    authority=datetime.timedelta(seconds=72),
    serving=datetime.timedelta(seconds=45),
    settle=datetime.timedelta(seconds=9),
    forget=datetime.timedelta(seconds=6),
)
"""Years in a minute and a half. Settling is well within the last third of a certificate, and
outlasts a pass and the API server's watch."""


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@pytest.fixture
async def kube(apiserver: ApiServer) -> AsyncIterator[KubeClient]:
    """A client of ours."""
    connected = await KubeClient.connect(str(apiserver.kubeconfig))
    yield connected
    await connected.close()


@pytest.fixture
async def configuration(kube: KubeClient, namespace: str) -> AsyncIterator[str]:
    """Both webhook configurations, which no request matches yet."""
    name = fresh_name("webhooks")
    for resource in CONFIGURATIONS:
        await kube.create(resource, _configuration(resource, name, namespace, "https://127.0.0.1"))
    yield name
    for resource in CONFIGURATIONS:
        await kube.delete(resource, name)


def _configuration(resource: Any, name: str, namespace: str, url: str) -> dict[str, Any]:
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["configmaps"],
        "operations": ["CREATE"],
    }
    only = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    hook = {
        "name": "test.model.example.com",
        "clientConfig": {"url": url},
        "rules": [rule],
        "namespaceSelector": only,
        "objectSelector": {"matchLabels": {"asks": "us"}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 30,
    }
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name},
        "webhooks": [hook, {**hook, "name": "second.model.example.com"}],
    }


def keeper(
    kube: KubeClient,
    namespace: str,
    configuration: str,
    folder: Path,
    schedule: Schedule = SCHEDULE,
) -> Keeper:
    """One replica, with a folder of its own."""
    places = Places(
        namespace=namespace,
        tls_secret="tls",
        tls_folder=folder / "tls",
        configuration=configuration,
        names=("127.0.0.1",),
        receipts_secret="receipts",
        receipts_folder=folder / "receipts",
        receipt_keys="receipt-keys",
    )
    return Keeper(kube, places, clock=_now, schedule=schedule, pause=0.3)


async def bundles(kube: KubeClient, name: str) -> set[bytes]:
    """Every caBundle of both configurations."""
    found = [await kube.get(resource, name) for resource in CONFIGURATIONS]
    hooks = [hook for each in found for hook in each["webhooks"]]
    return {base64.b64decode(hook["clientConfig"].get("caBundle", "")) for hook in hooks}


async def test_replicas_that_start_at_once_end_with_the_same_keys(
    kube: KubeClient, namespace: str, configuration: str, tmp_path: Path
) -> None:
    replicas = [
        keeper(kube, namespace, configuration, tmp_path / str(number)) for number in range(5)
    ]
    await asyncio.gather(*(replica.begin() for replica in replicas))
    for name in ("tls/tls.crt", "tls/tls.key"):
        contents = {(tmp_path / str(number) / name).read_bytes() for number in range(5)}
        assert len(contents) == 1
    held = [
        {path.name: path.read_bytes() for path in (tmp_path / str(number) / "receipts").iterdir()
         if path.is_file()}
        for number in range(5)
    ]  # fmt: skip
    assert all(each == held[0] for each in held)


async def test_every_webhook_has_the_authority(
    kube: KubeClient, namespace: str, configuration: str, tmp_path: Path
) -> None:
    await keeper(kube, namespace, configuration, tmp_path).begin()
    (bundle,) = await bundles(kube, configuration)
    (authority,) = x509.load_pem_x509_certificates(bundle)
    serving = x509.load_pem_x509_certificate((tmp_path / "tls" / "tls.crt").read_bytes())
    serving.verify_directly_issued_by(authority)


async def test_the_end_of_the_authority_is_told(
    kube: KubeClient, namespace: str, configuration: str, tmp_path: Path
) -> None:
    await keeper(kube, namespace, configuration, tmp_path).begin()
    (bundle,) = await bundles(kube, configuration)
    (authority,) = x509.load_pem_x509_certificates(bundle)
    name = "roadstead_certificate_expiry_timestamp_seconds"
    told = REGISTRY.get_sample_value(name, {"certificate": "authority"})
    assert told == authority.not_valid_after_utc.timestamp()


async def test_a_bundle_that_was_changed_is_put_right(
    kube: KubeClient, namespace: str, configuration: str, tmp_path: Path
) -> None:
    replica = keeper(kube, namespace, configuration, tmp_path)
    await replica.begin()
    before = await bundles(kube, configuration)
    for resource in CONFIGURATIONS:
        found = await kube.get(resource, configuration)
        found["webhooks"][0]["clientConfig"].pop("caBundle")
        await kube.patch(resource, configuration, {"webhooks": found["webhooks"]})
    await replica.pass_once()
    assert await bundles(kube, configuration) == before


async def test_the_operator_finds_the_public_keys_only(
    kube: KubeClient, api: client.ApiClient, namespace: str, configuration: str, tmp_path: Path
) -> None:
    await keeper(kube, namespace, configuration, tmp_path).begin()
    found = await client.CoreV1Api(api).read_namespaced_config_map("receipt-keys", namespace)
    assert found.data
    assert all("BEGIN PUBLIC KEY" in pem for pem in found.data.values())


async def test_public_keys_that_were_changed_are_put_right(
    kube: KubeClient, api: client.ApiClient, namespace: str, configuration: str, tmp_path: Path
) -> None:
    replica = keeper(kube, namespace, configuration, tmp_path)
    await replica.begin()
    core = client.CoreV1Api(api)
    before = (await core.read_namespaced_config_map("receipt-keys", namespace)).data
    await core.patch_namespaced_config_map("receipt-keys", namespace, {"data": {"mine": "x"}})
    await replica.pass_once()
    assert (await core.read_namespaced_config_map("receipt-keys", namespace)).data == before


@pytest.mark.fault("R13", heals="nothing to recover: no call fails")
async def test_an_authority_is_replaced_under_load_without_a_failed_call(
    kube: KubeClient, api: client.ApiClient, namespace: str, configuration: str, tmp_path: Path
) -> None:
    """Two replicas, either of which the API server may reach, through every step of a rotation."""
    # A minute and a half, as the schedule has it.
    replicas = [
        keeper(kube, namespace, configuration, tmp_path / str(number), QUICK) for number in range(2)
    ]
    await asyncio.gather(*(replica.begin() for replica in replicas))
    first = await bundles(kube, configuration)
    async with contextlib.AsyncExitStack() as stack:
        ports = [
            await stack.enter_async_context(_server(tmp_path / str(number) / "tls"))
            for number in range(2)
        ]
        await _point(kube, configuration, ports)
        await assert_eventually(functools.partial(_call, api, namespace))
        loops = [asyncio.create_task(replica.run()) for replica in replicas]
        over = asyncio.Event()
        calls = asyncio.create_task(_calls(api, namespace, over))
        await assert_eventually(
            functools.partial(_replaced, kube, configuration, first), timeout=300
        )
        over.set()
        for loop in loops:
            loop.cancel()
        await calls
        await asyncio.gather(*loops, return_exceptions=True)


async def _replaced(kube: KubeClient, name: str, first: set[bytes]) -> bool:
    """Whether nothing of the first authority is left."""
    now = await bundles(kube, name)
    return len(now) == 1 and not any(old in new for old in first for new in now)


@contextlib.asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[int]:
    """Allows everything; closes each connection, so that every call is a handshake."""

    async def allow(request: web.Request) -> web.Response:
        uid = (await request.json())["request"]["uid"]
        answer = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": uid, "allowed": True},
        }
        response = web.json_response(answer)
        response.force_close()
        return response

    certificates = FileCertificates(folder, poll=0.2)
    app = web.Application()
    app.router.add_post("/", allow)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    task = asyncio.create_task(certificates.run())
    try:
        context = await certificates.context()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        task.cancel()
        await runner.cleanup()


async def _point(kube: KubeClient, name: str, ports: list[int]) -> None:
    """Have the API server ask both servers about each object."""
    for resource in CONFIGURATIONS:
        found = await kube.get(resource, name)
        for hook, port in zip(found["webhooks"], ports, strict=True):
            hook["clientConfig"]["url"] = f"https://127.0.0.1:{port}/"
        await kube.patch(resource, name, {"webhooks": found["webhooks"]})


async def _calls(api: client.ApiClient, namespace: str, over: asyncio.Event) -> None:
    """Create objects that are asked about until it is over; AssertionError with a refusal."""
    while not over.is_set():
        await _call(api, namespace)


async def _call(api: client.ApiClient, namespace: str) -> bool:
    """Create one; AssertionError if it was refused."""
    meta = client.V1ObjectMeta(generate_name="asked-", labels={"asks": "us"})
    body = client.V1ConfigMap(metadata=meta)
    try:
        await client.CoreV1Api(api).create_namespaced_config_map(namespace, body)
    except client.ApiException as error:
        raise AssertionError(error.body) from None
    return True
