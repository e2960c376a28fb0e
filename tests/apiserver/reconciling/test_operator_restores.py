"""The operator after its objects were restored from a backup, with the same store."""

from __future__ import annotations

import pytest

from roadstead.api.group import ANNOTATION_STORED, FINALIZER, LABEL_SERVER_UUID
from roadstead.api.server_ids import new_server_id
from tests.support import custom_objects
from tests.support.builders.objects import Raw, fresh_name, make_modelserve
from tests.support.fault_server import FaultServer
from tests.support.operator.namespace import Operated, condition
from tests.support.raw_objects import send_raw
from tests.support.velero import restored
from tests.support.waiting import assert_eventually
from tests.support.webhooks.tokens import with_annotations

SERVER_ID = "model.example.com/server-id"


@pytest.fixture
def source(slow: FaultServer) -> FaultServer:
    """A source that counts requests, and is not slow."""
    slow.slowness = 0
    return slow


async def lose(operated: Operated, body: Raw) -> Raw:
    """Remove an object as with its cluster, without any operator; returns it as in the backup."""
    stored = await custom_objects.get(operated.api, body)
    await custom_objects.patch(operated.api, body, {"metadata": {"finalizers": None}})
    await custom_objects.delete(operated.api, body)
    return restored(stored)


async def lose_children(operated: Operated) -> None:
    """Remove the children of `gemma`: nothing here collects garbage."""
    for plural in ("deployments", "services", "serviceaccounts", "networkpolicies", "secrets"):
        for child in await operated.children(plural):
            if (name := child["metadata"]["name"]).startswith("gemma"):
                await send_raw(operated.api, "DELETE", f"{operated.path(plural)}/{name}")


async def verified_model(operated: Operated, source: FaultServer) -> Raw:
    """A Model that the operator has stored, with the record of its content."""
    name = fresh_name("model")
    await operated.secret(name, source.url)
    ref = {"name": name, "namespace": operated.namespace}
    model = await operated.model(name=name, source={"presignedUrl": {"secretRef": ref}})

    async def recorded() -> bool:
        found = await custom_objects.get(operated.api, model)
        return ANNOTATION_STORED in found["metadata"].get("annotations", {})

    await operated.wait_for_reason(model, "Verified", "Verified")
    await assert_eventually(recorded)
    return await custom_objects.get(operated.api, model)


def environ(source: FaultServer) -> dict[str, str]:
    return {"ROADSTEAD_SOURCE_ALLOW": f"127.0.0.1:{source.port}"}


async def test_restored_model_uses_its_object_without_its_source(
    operated: Operated, source: FaultServer
) -> None:
    async with operated.operator(**environ(source)):
        before = await verified_model(operated, source)
    backup = await lose(operated, before)
    assert backup["metadata"]["finalizers"] == [FINALIZER]
    asked = source.requests
    async with operated.operator(**environ(source)):
        back = await custom_objects.create(operated.api, backup)
        after = await operated.wait_for_reason(back, "Verified", "Verified")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    kept = ("minioPath", "sha256", "sizeBytes", "etag")
    assert [after["status"][key] for key in kept] == [before["status"][key] for key in kept]
    assert source.requests == asked


async def test_restored_model_with_another_spec_is_read_from_its_source(
    operated: Operated, source: FaultServer
) -> None:
    async with operated.operator(**environ(source)):
        before = await verified_model(operated, source)
    backup = await lose(operated, before)
    asked = source.requests
    async with operated.operator(**environ(source)):
        changed = {**backup, "spec": {**backup["spec"], "displayName": "another"}}
        back = await custom_objects.create(operated.api, changed)
        await operated.wait_for_reason(back, "Verified", "Verified")
    assert source.requests > asked


async def test_restored_server_has_its_address_and_its_labels(operated: Operated) -> None:
    server_id = new_server_id()
    model = operated.site.publish()
    body = with_annotations(
        make_modelserve(operated.namespace, name="gemma", modelName=model), {SERVER_ID: server_id}
    )
    async with operated.operator():
        serve = await custom_objects.create(operated.api, body)
        deployment = await operated.wait_for_deployment(serve)
        found = await custom_objects.get(operated.api, serve)
    meta = deployment["metadata"]
    assert meta["labels"][LABEL_SERVER_UUID] == server_id
    assert deployment["spec"]["selector"]["matchLabels"] == {LABEL_SERVER_UUID: server_id}
    assert [each["uid"] for each in meta["ownerReferences"]] == [serve["metadata"]["uid"]]
    assert found["status"]["serverUuid"] == server_id


async def test_restored_child_without_an_owner_is_not_adopted(operated: Operated) -> None:
    model = operated.site.publish()
    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=model)
        await operated.wait_for_deployment(serve)
    service = restored(await operated.child("services", "gemma"))
    service["spec"].pop("clusterIP", None)
    service["spec"].pop("clusterIPs", None)
    backup = await lose(operated, serve)
    await lose_children(operated)
    await send_raw(operated.api, "POST", operated.path("services"), service)
    async with operated.operator():
        back = await custom_objects.create(operated.api, backup)
        await operated.wait_for_reason(back, "WorkloadReady", "NameTaken")
        after = await operated.child("services", "gemma")
    assert "ownerReferences" not in after["metadata"]


async def test_second_claimant_that_came_past_the_webhooks_is_not_served(
    operated: Operated,
) -> None:
    model = operated.site.publish()
    async with operated.operator():
        first = await operated.serve(name="first", modelName=model)
        await operated.wait_for_deployment(first)
        claim = {SERVER_ID: first["metadata"]["uid"]}
        body = make_modelserve(operated.namespace, name="second", modelName=model)
        second = await custom_objects.create(operated.api, with_annotations(body, claim))
        found = await operated.wait_for_reason(second, "Ready", "ServerIdTaken")
        assert f"{operated.namespace}/first" in condition(found, "Ready")["message"]
        assert not await operated.has("deployments", "second")
