"""Restarts, repairs and deletions."""

import functools
import json
from collections.abc import Iterator

import pytest

from tests.support import custom_objects
from tests.support.builders.objects import Raw
from tests.support.operator.namespace import Operated, list_all
from tests.support.raw_objects import get_raw, send_raw
from tests.support.store_client import minio
from tests.support.waiting import assert_eventually

KINDS = ("deployments", "services", "serviceaccounts", "networkpolicies", "secrets", "events")
OURS = ("modelserves", *KINDS)


async def versions(operated: Operated) -> dict[str, str]:
    """The resourceVersions of all objects that a restart could write."""
    found = await list_all(operated.api, "models")
    for plural in OURS:
        found += await operated.children(plural)
    metas = [item["metadata"] for item in found]
    return {meta["uid"]: meta["resourceVersion"] for meta in metas}


async def test_a_restart_writes_nothing(operated: Operated) -> None:
    name = operated.site.publish()
    resources = {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"memory": "2048Mi"}}
    async with operated.operator():
        for number in range(3):
            serve = await operated.serve(
                name=f"gemma-{number}", modelName=name, replicas=number, resources=resources
            )
            await operated.wait_for_deployment(serve)
            await operated.wait_for_reason(serve, "WorkloadReady", _settled(number))
        before = await _at_rest(operated)
    async with operated.operator():
        # An object that is reconciled after all existing ones.
        await operated.wait_for_reason(
            await operated.serve(modelName="nobody"), "Ready", "ModelUnknown"
        )
        after = await versions(operated)
    assert before.items() <= after.items()


def _settled(replicas: int) -> str:
    return "Progressing" if replicas else "ScaledToZero"


async def _at_rest(operated: Operated) -> dict[str, str]:
    """The resourceVersions once nothing has changed for some seconds."""
    seen: list[dict[str, str]] = []

    async def same_again() -> bool:
        seen.append(await versions(operated))
        return len(seen) > 4 and all(each == seen[-1] for each in seen[-5:])

    await assert_eventually(same_again, interval=1.0)
    return seen[-1]


async def test_a_deleted_child_is_created_again(operated: Operated) -> None:
    name = operated.site.publish()
    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=name)
        await operated.wait_for_deployment(serve)
        for plural in ("services", "deployments", "networkpolicies", "serviceaccounts"):
            uid = (await operated.child(plural, "gemma"))["metadata"]["uid"]
            await send_raw(operated.api, "DELETE", f"{operated.path(plural)}/gemma")
            await assert_eventually(functools.partial(_other, operated, plural, uid))


async def _other(operated: Operated, plural: str, uid: str) -> bool:
    found = {item["metadata"]["name"]: item for item in await operated.children(plural)}
    return "gemma" in found and found["gemma"]["metadata"]["uid"] != uid


@pytest.mark.parametrize(
    ("plural", "changes", "path"),
    [
        pytest.param("deployments", {"spec": {"replicas": 7}}, "spec.replicas", id="replicas"),
        pytest.param(
            "services", {"spec": {"selector": {"app": "mine"}}}, "spec.selector", id="selector"
        ),
        pytest.param(
            "deployments", {"metadata": {"ownerReferences": None}}, "metadata.ownerReferences",
            id="owner",
        ),
        pytest.param(
            "services",
            {"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}},
            "metadata.labels",
            id="label",
        ),
    ],
)  # fmt: skip
async def test_a_changed_child_is_restored(
    operated: Operated, plural: str, changes: Raw, path: str
) -> None:
    name = operated.site.publish()
    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=name)
        await operated.wait_for_deployment(serve)
        before = _at(await operated.child(plural, "gemma"), path)
        await send_raw(operated.api, "PATCH", f"{operated.path(plural)}/gemma", changes)

        async def as_before() -> bool:
            now = _at(await operated.child(plural, "gemma"), path)
            return bool(_within(before, now))

        await assert_eventually(as_before)


def _at(body: Raw, path: str) -> object:
    found: object = body
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _within(before: object, now: object) -> bool:
    """Whether all of `before` is in `now`, which may have more."""
    if isinstance(before, dict) and isinstance(now, dict):
        return before.items() <= now.items()
    return before == now


async def test_a_model_in_use_is_deleted_after_its_last_server(operated: Operated) -> None:
    name = operated.site.publish()
    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=name)
        await operated.wait_for_deployment(serve)
        (model,) = await list_all(operated.api, "models")
        await custom_objects.delete(operated.api, model)
        await operated.wait_for_reason(model, "Ready", "InUse")
        await custom_objects.delete(operated.api, serve)
        await assert_eventually(lambda: _gone(operated))


async def _gone(operated: Operated) -> bool:
    return await list_all(operated.api, "models") == []


@pytest.mark.parametrize(
    ("policy", "stays"),
    [pytest.param("Delete", False, id="delete"), pytest.param("Retain", True, id="retain")],
)
async def test_the_deletion_policy_decides_about_the_object(
    operated: Operated, policy: str, stays: bool
) -> None:
    name = operated.site.publish()
    source = {"quant": {"modelId": name}}
    async with operated.operator():
        model = await operated.model(name=name, source=source, deletionPolicy=policy)
        found = await operated.wait_for_reason(model, "Ready", "Ready")
        await custom_objects.delete(operated.api, model)
        await assert_eventually(lambda: _gone(operated))
    status = found["status"]
    assert operated.site.holds(status["minioBucket"], status["minioPath"]) is stays


async def test_a_model_created_again_is_transferred_again(
    operated: Operated,
) -> None:
    name = operated.site.publish()
    source = {"quant": {"modelId": name}}
    async with operated.operator():
        model = await operated.model(name=name, source=source, deletionPolicy="Delete")
        before = await operated.wait_for_reason(model, "Ready", "Ready")
        await custom_objects.delete(operated.api, model)
        await assert_eventually(lambda: _gone(operated))
        again = await operated.model(name=name, source=source)
        after = await operated.wait_for_reason(again, "Ready", "Ready")
    assert after["status"]["minioPath"] != before["status"]["minioPath"]


async def test_a_digest_added_later_is_verified(operated: Operated) -> None:
    name = operated.site.publish()
    async with operated.operator():
        model = await operated.model(name=name, source={"quant": {"modelId": name}})
        await operated.wait_for_reason(model, "Ready", "Ready")
        await custom_objects.patch(operated.api, model, {"spec": {"sha256": "0" * 64}})
        await operated.wait_for_reason(model, "Verified", "DigestMismatch")


async def test_secrets_are_only_in_the_fetch_secret(
    operated: Operated, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    name = operated.site.publish()
    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=name)
        await operated.wait_for_deployment(serve)
        secret = await operated.child("secrets", "gemma-fetch")
        seen = await list_all(operated.api, "models")
        for plural in ("modelserves", "deployments", "services", "events", "pods"):
            seen += await operated.children(plural)
        seen.append(await get_raw(operated.api, "/api/v1/namespaces/default/events"))
    text = json.dumps(seen) + caplog.text
    assert secret["data"]["url"]
    for word in _secret_words(operated):
        assert word not in text


def _secret_words(operated: Operated) -> Iterator[str]:
    yield "X-Amz-"
    yield operated.site.store.secret_key
    yield operated.site.source.secret_key
    yield operated.site.quant_key_file.read_text()


async def test_a_model_cannot_use_the_default_location_of_another(
    operated: Operated,
) -> None:
    async with operated.operator():
        first = await operated.model(source={"quant": {"modelId": operated.site.publish()}})
        status = (await operated.wait_for_reason(first, "Ready", "Ready"))["status"]
        second = await operated.model(
            source={"stored": {}}, minioPath=status["minioPath"], deletionPolicy="Delete"
        )
        location_taken = await operated.wait_for_reason(second, "Ready", "LocationTaken")
        assert first["metadata"]["name"] in str(location_taken["status"]["conditions"])
        await custom_objects.delete(operated.api, second)
        await assert_eventually(functools.partial(_is_gone, operated, second))
    assert operated.site.holds(status["minioBucket"], status["minioPath"])


async def _is_gone(operated: Operated, model: Raw) -> bool:
    names = [item["metadata"]["name"] for item in await list_all(operated.api, "models")]
    return model["metadata"]["name"] not in names


async def test_a_missing_object_is_reported_and_transferred_again(operated: Operated) -> None:
    async with operated.operator():
        model = await operated.model(source={"quant": {"modelId": operated.site.publish()}})
        status = (await operated.wait_for_reason(model, "Ready", "Ready"))["status"]
    minio(operated.site.store).remove_object(status["minioBucket"], status["minioPath"])
    async with operated.operator():
        await assert_eventually(functools.partial(_has_event, operated, model, "ObjectMissing"))
        await operated.wait_for_reason(model, "Ready", "Ready")
    assert operated.site.holds(status["minioBucket"], status["minioPath"])


async def _has_event(operated: Operated, model: Raw, reason: str) -> bool:
    events = await get_raw(operated.api, "/api/v1/namespaces/default/events")
    about = model["metadata"]["name"]
    return any(
        item["involvedObject"]["name"] == about and item["reason"] == reason
        for item in events["items"]
    )
