"""A scale and an update of one server at the same time never exceed its contract together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.custom_objects import call, create, get, patch, path, refusal
from tests.support.webhooks.tokens import TOKEN, contract_for, with_token

ROUNDS = 20
"""Of each pair of requests; both orders occur within a few."""
TOTAL_MI = 400


def _resources(memory: int) -> Raw:
    return {"limits": {"cpu": "1", "memory": f"{memory}Mi"}}


def _demand(serve: Raw) -> int:
    """Return the memory of all replicas, in MiB."""
    spec = serve["spec"]
    return int(spec["replicas"]) * int(spec["resources"]["limits"]["memory"].removesuffix("Mi"))


async def _scale(api: client.ApiClient, serve: Raw, replicas: int) -> Raw:
    """Replace the Scale unconditionally, as a client that read no resourceVersion does."""
    meta = {"name": serve["metadata"]["name"], "namespace": serve["metadata"]["namespace"]}
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta}
    body: Raw = {**scale, "spec": {"replicas": replicas}}
    return await call(api, "PUT", path(serve, "scale"), body)


@pytest.mark.parametrize("by", ["PUT", "PATCH"])
async def test_scale_and_update_at_once_stay_within_the_total(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str, by: str
) -> None:
    body = contract_for(namespace, total={"memory": f"{TOTAL_MI}Mi"})
    await create(api, with_token(body, admin))
    serve = await create(
        api, with_token(make_modelserve(namespace, resources=_resources(100)), token())
    )

    def change(**spec: Any) -> Raw:
        return {"metadata": {"annotations": {TOKEN: token()}}, "spec": spec}

    async def scale() -> Raw:
        if by == "PUT":
            return await _scale(api, serve, 3)
        return await patch(api, serve, {"spec": {"replicas": 3}}, "scale")

    answers: list[str] = []
    for _ in range(ROUNDS):
        # Each fits alone: 3 x 100 MiB and 1 x 200 MiB. Together they are 600 MiB.
        both = await asyncio.gather(
            refusal(scale(), allowed="allowed"),
            refusal(patch(api, serve, change(resources=_resources(200))), allowed="allowed"),
        )
        answers += both
        assert "allowed" in both
        stored = await get(api, serve)
        assert _demand(stored) <= TOTAL_MI, both
        await patch(api, serve, change(replicas=1, resources=_resources(100)))
    assert any("OverTotal" in each for each in answers)
