"""Errors of users and sources have a clear reason and lose nothing."""

import datetime
import io
import re

import pytest
from minio import Minio

from dev import samplegguf
from tests.support import custom_objects
from tests.support.builders.objects import Raw, fresh_name
from tests.support.operator.namespace import Operated, condition, list_all
from tests.support.operator.site import BUCKET, SIZE, Site
from tests.support.raw_objects import send_raw
from tests.support.store_client import minio
from tests.support.waiting import assert_eventually

WRONG_DIGEST = "0" * 64


def quant(name: str, endpoint: str = "") -> Raw:
    return {"quant": {"modelId": name, **({"endpoint": endpoint} if endpoint else {})}}


async def test_an_unknown_model_has_the_reason_model_unknown(operated: Operated) -> None:
    async with operated.operator():
        serve = await operated.serve(modelName="nobody-knows-it")
        found = await operated.wait_for_reason(serve, "Ready", "ModelUnknown")
        assert await list_all(operated.api, "models") == []
    assert "nobody-knows-it" in condition(found, "Ready")["message"]


async def test_a_wrong_digest_fails_and_leaves_nothing_in_the_store(operated: Operated) -> None:
    name = operated.site.publish()
    async with operated.operator():
        model = await operated.model(name=name, source=quant(name), sha256=WRONG_DIGEST)
        serve = await operated.serve(modelName=name)
        found = await operated.wait_for_reason(model, "Verified", "DigestMismatch")
        await operated.wait_for_reason(serve, "Ready", "DigestMismatch")
        assert await operated.children("deployments") == []
    assert not operated.site.holds(found["status"]["minioBucket"], found["status"]["minioPath"])


async def test_a_wrong_digest_is_not_retried_after_a_restart(
    operated: Operated,
) -> None:
    name = operated.site.publish()
    async with operated.operator():
        model = await operated.model(name=name, source=quant(name), sha256=WRONG_DIGEST)
        before = await operated.wait_for_reason(model, "Ready", "DigestMismatch")
    async with operated.operator():
        serve = await operated.serve(modelName=name)
        await operated.wait_for_reason(serve, "Ready", "DigestMismatch")
        after = await operated.wait_for_reason(model, "Ready", "DigestMismatch")
    assert after["status"]["transfer"]["attempt"] == before["status"]["transfer"]["attempt"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"PK\x03\x04" + bytes(200_000), id="not-gguf"),
        pytest.param(samplegguf.sample(SIZE)[:100_000], id="truncated"),
    ],
)
async def test_an_incomplete_gguf_file_is_refused(operated: Operated, content: bytes) -> None:
    name = operated.site.publish(content)
    async with operated.operator():
        model = await operated.model(name=name, source=quant(name))
        found = await operated.wait_for_reason(model, "Verified", "InvalidGguf")
    assert not operated.site.holds(found["status"]["minioBucket"], found["status"]["minioPath"])


async def test_an_unavailable_quant_service_is_retried(operated: Operated) -> None:
    endpoint = "http://127.0.0.1:9"
    async with operated.operator(ROADSTEAD_SOURCE_ALLOW=endpoint):
        model = await operated.model(source=quant("gemma", endpoint))
        found = await operated.wait_for_reason(model, "Stored", "SourceUnreachable")
    assert re.search(r"attempt \d+ failed", condition(found, "Stored")["message"])


async def test_a_disallowed_endpoint_is_refused(operated: Operated) -> None:
    async with operated.operator():
        model = await operated.model(source=quant("gemma", "http://127.0.0.1:9"))
        await operated.wait_for_reason(model, "Stored", "SourceNotAllowed")


async def test_a_disallowed_flag_is_reported(operated: Operated) -> None:
    name = operated.site.publish()
    async with operated.operator():
        params = {"extraArgs": ["--model-url", "http://example.com"]}
        serve = await operated.serve(modelName=name, runtimeParams=params)
        found = await operated.wait_for_reason(serve, "WorkloadReady", "InvalidRuntimeParams")
    assert "--model-url" in condition(found, "WorkloadReady")["message"]


async def test_a_model_with_a_presigned_url_is_transferred(operated: Operated) -> None:
    name = operated.site.publish()
    ref = {"name": name, "namespace": operated.namespace}
    async with operated.operator():
        model = await operated.model(name=name, source={"presignedUrl": {"secretRef": ref}})
        await operated.wait_for_reason(model, "Stored", "SourceSecretMissing")
        await operated.secret(name, _presigned(operated.site, name))
        await custom_objects.patch(operated.api, model, _touch())
        await operated.wait_for_reason(model, "Verified", "Verified")


async def test_an_object_in_the_store_is_adopted(operated: Operated) -> None:
    path = f"{fresh_name('mine')}/model.gguf"
    client = minio(operated.site.store)
    if not client.bucket_exists("models"):
        client.make_bucket("models")
    data = samplegguf.sample(SIZE)
    client.put_object("models", path, io.BytesIO(data), len(data))
    async with operated.operator():
        model = await operated.model(source={"stored": {}}, minioPath=path)
        found = await operated.wait_for_reason(model, "Verified", "Verified")
    assert found["status"]["sizeBytes"] == len(data)


async def test_a_refused_object_blocks_no_other(operated: Operated) -> None:
    name = operated.site.publish()
    async with operated.operator():
        await _quota(operated, {"count/services": "1"})
        serves = [await operated.serve(name=f"gemma-{n}", modelName=name) for n in range(2)]
        await assert_eventually(lambda: _one_rejected(operated, serves))
        assert len(await operated.children("deployments")) == 1


async def _one_rejected(operated: Operated, serves: list[Raw]) -> bool:
    found = [await custom_objects.get(operated.api, serve) for serve in serves]
    reasons = [condition(serve, "WorkloadReady").get("reason") for serve in found]
    assert reasons.count("Rejected") == 1, reasons
    return "Progressing" in reasons or "Starting" in reasons


async def test_a_service_of_another_owner_is_not_changed(operated: Operated) -> None:
    name = operated.site.publish()
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "gemma"},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]},
    }
    async with operated.operator():
        before = await send_raw(operated.api, "POST", operated.path("services"), theirs)
        serve = await operated.serve(name="gemma", modelName=name)
        found = await operated.wait_for_reason(serve, "WorkloadReady", "NameTaken")
        after = await operated.child("services", "gemma")
    assert "is not owned by this ModelServe" in condition(found, "WorkloadReady")["message"]
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_a_secret_of_another_owner_is_not_changed(operated: Operated) -> None:
    name = operated.site.publish()
    theirs = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "gemma-fetch"},
        "stringData": {"password": "theirs"},
    }
    async with operated.operator():
        before = await send_raw(operated.api, "POST", operated.path("secrets"), theirs)
        serve = await operated.serve(name="gemma", modelName=name)
        await operated.wait_for_reason(serve, "WorkloadReady", "NameTaken")
        after = await operated.child("secrets", "gemma-fetch")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def _quota(operated: Operated, hard: dict[str, str]) -> None:
    """Create a ResourceQuota with the status that its controller would write."""
    name = {"metadata": {"name": "quota"}}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", **name, "spec": {"hard": hard}}
    path = operated.path("resourcequotas")
    await send_raw(operated.api, "POST", path, body)
    status = {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}
    await send_raw(operated.api, "PATCH", f"{path}/quota/status", status)


def _presigned(site: Site, name: str) -> str:
    client: Minio = minio(site.source)
    hour = datetime.timedelta(hours=1)
    return client.get_presigned_url("GET", BUCKET, f"{name}.gguf", expires=hour)


def _touch() -> Raw:
    """The annotation that requests another attempt."""
    return {"metadata": {"annotations": {"model.example.com/retry": "1"}}}
