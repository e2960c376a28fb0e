"""From a ModelServe of a new model to a server and its status."""

import asyncio
import hashlib
from typing import Any

import pytest

from dev import samplegguf
from roadstead import metrics
from tests.support import custom_objects
from tests.support.builders.objects import Raw
from tests.support.operator.namespace import Operated, condition, list_all
from tests.support.operator.pods import post_pod
from tests.support.operator.site import SIZE
from tests.support.raw_objects import send_raw
from tests.support.waiting import assert_eventually

CHILDREN = ("deployments", "services", "serviceaccounts", "networkpolicies")


async def test_a_server_of_a_new_model_is_started(operated: Operated) -> None:
    name = operated.site.publish()
    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=name)
        await operated.wait_for_deployment(serve)
        (model,) = await list_all(operated.api, "models")
        owned = [await operated.child(plural, "gemma") for plural in CHILDREN]
        owned.append(await operated.child("secrets", "gemma-fetch"))

    uid = serve["metadata"]["uid"]
    assert model["status"]["sha256"] == hashlib.sha256(samplegguf.sample(SIZE)).hexdigest()
    assert condition(model, "Ready")["status"] == "True"
    assert [child["metadata"]["ownerReferences"][0]["uid"] for child in owned] == [uid] * 5
    assert operated.site.holds(model["status"]["minioBucket"], model["status"]["minioPath"])


async def test_ten_servers_of_one_model_cause_one_transfer(operated: Operated) -> None:
    name = operated.site.publish()
    before = metrics.TRANSFER_RESULTS.labels("Completed")._value.get()
    async with operated.operator():
        serves = [await operated.serve(modelName=name) for _ in range(10)]
        for serve in serves:
            await operated.wait_for_deployment(serve)
        (model,) = await list_all(operated.api, "models")
        await assert_eventually(lambda: _counts(operated, model, 10))
    assert metrics.TRANSFER_RESULTS.labels("Completed")._value.get() - before == 1


async def _counts(operated: Operated, model: Raw, servers: int) -> bool:
    found = await custom_objects.get(operated.api, model)
    return bool(found["status"].get("servers") == servers)


async def test_a_running_pod_makes_the_server_ready(operated: Operated) -> None:
    name = operated.site.publish()
    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=name)
        deployment = await operated.wait_for_deployment(serve)
        status = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 1}
        await _patch_status(operated, "deployments", "gemma", status)
        found = await operated.wait_for_reason(serve, "Ready", "Ready")
    assert found["status"]["readyReplicas"] == 1
    assert found["status"]["url"] == f"http://gemma.{operated.namespace}.svc"
    assert deployment["spec"]["replicas"] == 1


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        pytest.param(
            {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}},
            "ImagePullFailed",
            id="image",
        ),
        pytest.param(
            {"terminated": {"reason": "OOMKilled", "exitCode": 137}}, "OutOfMemory", id="memory"
        ),
    ],
)
async def test_the_status_has_the_reason_of_an_unready_pod(
    operated: Operated, state: dict[str, Any], reason: str
) -> None:
    name = operated.site.publish()
    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=name)
        await operated.wait_for_deployment(serve)
        await _pod(operated, await operated.child("deployments", "gemma"), state)
        found = await operated.wait_for_reason(serve, "WorkloadReady", reason)
        assert condition(found, "Ready")["reason"] == reason


async def test_scaling_reaches_the_deployment(operated: Operated) -> None:
    name = operated.site.publish()
    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=name)
        await operated.wait_for_deployment(serve)
        await custom_objects.patch(operated.api, serve, {"spec": {"replicas": 3}}, "scale")
        await assert_eventually(lambda: _replicas(operated, 3))


async def _replicas(operated: Operated, count: int) -> bool:
    deployment = await operated.child("deployments", "gemma")
    return bool(deployment["spec"]["replicas"] == count)


async def test_changed_runtime_params_change_the_deployment(operated: Operated) -> None:
    name = operated.site.publish()

    async def has_argument() -> bool:
        deployment = await operated.child("deployments", "gemma")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        return "8192" in container["args"]

    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=name)
        await operated.wait_for_deployment(serve)
        changes = {"spec": {"runtimeParams": {"contextSize": 8192}}}
        await custom_objects.patch(operated.api, serve, changes)
        await assert_eventually(has_argument)


async def test_each_change_of_ready_posts_an_event(operated: Operated) -> None:
    name = operated.site.publish()
    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=name)
        await operated.wait_for_deployment(serve)
        await _pod(
            operated,
            await operated.child("deployments", "gemma"),
            {"waiting": {"reason": "ErrImagePull", "message": "no such image"}},
        )
        await operated.wait_for_reason(serve, "Ready", "ImagePullFailed")
        await assert_eventually(lambda: _reasons(operated, {"ImagePullFailed", "Queued"}))


async def _reasons(operated: Operated, wanted: set[str]) -> bool:
    found = {event["reason"] for event in await operated.children("events")}
    assert wanted <= found, found
    return True


async def test_a_pod_with_only_the_label_does_not_affect_the_server(
    operated: Operated,
) -> None:
    name = operated.site.publish()
    crashed = {"terminated": {"exitCode": 1, "reason": "Error", "message": "?" * 4096}}
    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=name)
        deployment = await operated.wait_for_deployment(serve)
        await _pod(operated, deployment, {"waiting": {"reason": "ErrImagePull"}})
        await operated.wait_for_reason(serve, "WorkloadReady", "ImagePullFailed")
        other = {**deployment, "metadata": {**deployment["metadata"], "name": "other"}}
        await _pod(operated, other, crashed)
        await _patch_status(operated, "pods", "gemma-1", _statuses(crashed))
        found = await operated.wait_for_reason(serve, "WorkloadReady", "CrashLooping")
    assert "pod gemma-1" in condition(found, "WorkloadReady")["message"]


async def test_a_hundred_servers_are_started_at_once(operated: Operated) -> None:
    # Half a minute: a hundred servers have six children each.
    name = operated.site.publish()
    async with operated.operator():
        created = [operated.serve(modelName=name) for _ in range(100)]
        serves = await asyncio.gather(*created)
        for serve in serves:
            await operated.wait_for_deployment(serve, timeout=600)
        found = [len(await operated.children(plural)) for plural in CHILDREN]
    assert found == [100] * 4


async def _patch_status(operated: Operated, plural: str, name: str, status: Raw) -> None:
    path = f"{operated.path(plural)}/{name}/status"
    await send_raw(operated.api, "PATCH", path, {"status": status})


async def _pod(operated: Operated, deployment: Raw, state: Raw) -> None:
    """A pod with its server in `state`."""
    pod = await post_pod(operated, deployment)
    await _patch_status(operated, "pods", pod, _statuses(state))


def _statuses(state: Raw) -> Raw:
    container = {"name": "llama-server", "image": "x", "imageID": "", "ready": False}
    return {"containerStatuses": [{**container, "restartCount": 0, "state": state}]}
