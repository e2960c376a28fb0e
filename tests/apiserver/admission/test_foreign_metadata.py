"""The limit on foreign metadata of Roadstead's kinds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.apiserver.conftest import Kubectl
from tests.support.builders.objects import Raw, make_contract, make_model, make_modelserve
from tests.support.custom_objects import create, delete, patch, refusal
from tests.support.webhooks.tokens import with_annotations, with_token

MUCH = {"example.com/notes": "x" * 16 * 1024}
LITTLE = {"example.com/notes": "x" * 15 * 1024}
MANY = {f"example.com/{number:04}": "12345" for number in range(900)}
PLACES: dict[str, dict[str, Any]] = {
    "annotations": {"annotations": MUCH},
    "labels": {"labels": MANY},
    "finalizers": {"finalizers": list(MANY)},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["Model", "ModelServe", "ResourceContract"])
async def test_creating_an_object_with_much_foreign_metadata_is_denied(
    api: client.ApiClient,
    namespace: str,
    contract: Raw,
    token: MakeToken,
    kind: str,
    place: str,
) -> None:
    made = {
        "Model": make_model(),
        "ModelServe": make_modelserve(namespace),
        "ResourceContract": make_contract(),
    }[kind]
    body = {**made, "metadata": {**made["metadata"], **PLACES[place]}}
    given = token("root", "demo-users", "roadstead-admins")
    message = await refusal(create(api, with_token(body, given)))
    assert "MetadataTooLarge" in message
    assert "at most 16 KiB are allowed: remove some" in message


async def test_adding_much_foreign_metadata_is_denied(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    body = with_annotations(make_modelserve(namespace), LITTLE)
    serve = await create(api, with_token(body, token()))
    message = await refusal(patch(api, serve, {"metadata": {"annotations": MUCH}}))
    assert "MetadataTooLarge" in message
    await patch(api, serve, {"metadata": {"annotations": {"example.com/notes": None}}})


@pytest.mark.parametrize("is_being_deleted", [False, True])
@pytest.mark.parametrize("place", PLACES)
async def test_adding_it_alone_is_denied_also_while_an_object_is_deleted(
    api: client.ApiClient,
    namespace: str,
    contract: Raw,
    token: MakeToken,
    place: str,
    is_being_deleted: bool,
) -> None:
    serve = await create(api, with_token(make_modelserve(namespace), token()))
    kept = ["example.com/wait"]
    await patch(api, serve, {"metadata": {"finalizers": kept}})
    if is_being_deleted:
        await delete(api, serve)
    message = await refusal(patch(api, serve, {"metadata": PLACES[place]}))
    # The API server itself refuses new finalizers of an object that is being deleted.
    assert "MetadataTooLarge" in message or "no new finalizers" in message
    await patch(api, serve, {"metadata": {"finalizers": None}})


async def test_prefix_of_a_name_does_not_grow_above_that_of_a_name(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    serve = await create(api, with_token(make_modelserve(namespace), token()))
    message = await refusal(patch(api, serve, {"metadata": {"generateName": "x" * 16 * 1024}}))
    assert "generateName is not a valid prefix" in message


async def test_kubectls_copy_of_the_manifest_does_not_count_twice(
    kubectl: Kubectl, namespace: str, contract: Raw, token: MakeToken
) -> None:
    body = with_token(with_annotations(make_modelserve(namespace), LITTLE), token())
    for _ in range(2):
        done = kubectl("apply", "-f", "-", manifest=json.dumps(body))
        assert done.returncode == 0, done.stderr
