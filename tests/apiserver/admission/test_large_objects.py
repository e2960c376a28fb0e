"""Objects that are too large are denied before they are parsed, with a message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.apiserver.conftest import Kubectl
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.custom_objects import create, patch, refusal
from tests.support.webhooks.tokens import TOKEN, contract_for, with_token

WORD = "x" * 250


def with_finalizers(body: Raw, *names: str) -> Raw:
    return {**body, "metadata": {**body["metadata"], "finalizers": list(names)}}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"runtimeParams": {"extraArgs": [WORD] * 4000}}, id="1 MB of words"),
        pytest.param({"runtimeParams": {"extraArgs": [WORD] * 11000}}, id="2.8 MB of words"),
        pytest.param({"runtimeParams": {"extraArgs": [""] * 900_000}}, id="900,000 words"),
        pytest.param({"runtimeParams": {"extraArgs": [""] * 29_500}}, id="29,500 faults"),
        pytest.param({"config": {"tolerations": [{}] * 500_000}}, id="500,000 tolerations"),
        pytest.param(
            {"config": {"nodeSelector": {f"{n}": "" for n in range(40_000)}}}, id="40,000 labels"
        ),
    ],
)
@pytest.mark.parametrize("with_one", [True, False], ids=["token", "no token"])
async def test_object_that_is_too_large_is_denied_with_what_to_do(
    kubectl: Kubectl,
    namespace: str,
    contract: Raw,
    token: MakeToken,
    spec: dict[str, Any],
    with_one: bool,
) -> None:
    body = make_modelserve(namespace, **spec)
    manifest = json.dumps(with_token(body, token()) if with_one else body, separators=(",", ":"))
    message = kubectl("create", "--validate=false", "-f", "-", manifest=manifest).stderr
    assert "denied the request: ObjectTooLarge: the object" in message
    assert "remove what Roadstead does not need" in message


async def test_many_finalizers_are_too_large_as_well(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    names = [f"example.com/{n}" for n in range(40_000)]
    body = with_finalizers(make_modelserve(namespace), *names)
    assert "ObjectTooLarge" in await refusal(create(api, with_token(body, token())))


async def test_object_of_half_the_size_with_its_managed_fields_is_admitted_and_changed(
    api: client.ApiClient, namespace: str, admin: str
) -> None:
    names = [f"{n:03}{'x' * 250}" for n in range(256)]
    who = {"subjects": names, "groups": names}
    body = contract_for(namespace, authorization=who, models=names)
    agreed = await create(api, with_token(body, admin))
    await patch(api, agreed, {"metadata": {"labels": {"team": "a"}}})
    annotations = {"annotations": {TOKEN: admin}}
    changes = {"metadata": annotations, "spec": {"authorization": {"subjects": None}}}
    changed = await patch(api, agreed, changes)
    assert "subjects" not in changed["spec"]["authorization"]
