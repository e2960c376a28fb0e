"""Parameters that the operator or llama-server refuses are denied before they are stored."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.custom_objects import call, create, get, patch, path, refusal
from tests.support.webhooks.tokens import TOKEN, with_token

REFUSED = [
    pytest.param({"extraArgs": ["--model-url", "http://example.com"]}, "extraArgs[0]", id="flag"),
    pytest.param({"extraArgs": ["--temp"]}, "extraArgs[0]", id="no value"),
    pytest.param({"extraArgs": ["--temp", "hot"]}, "extraArgs[1]", id="value"),
    pytest.param({"extraArgs": ["--top-k", "2147483648"]}, "extraArgs[1]", id="no int32"),
    pytest.param({"extraArgs": ["--ctx-size=8192"]}, "extraArgs[0]", id="has a field"),
    pytest.param({"extraArgs": ["--port", "80"]}, "extraArgs[0]", id="the operator's"),
    pytest.param({"chatTemplate": "none-such"}, "chatTemplate", id="template"),
]


@pytest.mark.parametrize(("params", "field"), REFUSED)
async def test_creating_a_server_with_refused_parameters_is_denied(
    api: client.ApiClient,
    namespace: str,
    contract: Raw,
    token: MakeToken,
    params: dict[str, Any],
    field: str,
) -> None:
    body = with_token(make_modelserve(namespace, runtimeParams=params), token())
    message = await refusal(create(api, body))
    assert f"InvalidRuntimeParams: spec.runtimeParams.{field}: " in message
    dry = f"{path(body, named=False)}?dryRun=All"
    assert "InvalidRuntimeParams" in await refusal(call(api, "POST", dry, body))


@pytest.mark.parametrize(("params", "field"), REFUSED)
async def test_adding_refused_parameters_to_a_server_is_denied(
    api: client.ApiClient,
    namespace: str,
    contract: Raw,
    token: MakeToken,
    params: dict[str, Any],
    field: str,
) -> None:
    serve = await create(api, with_token(make_modelserve(namespace), token()))
    given = {"metadata": {"annotations": {TOKEN: token()}}, "spec": {"runtimeParams": params}}
    assert field in await refusal(patch(api, serve, given))
    assert await get(api, serve) == serve


async def test_refused_parameters_and_contract_violations_are_reported_together(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken, admin: str
) -> None:
    bounds = {"spec": {"runtimeParams": {"maxContextSize": 4096}}}
    await patch(api, contract, {"metadata": {"annotations": {TOKEN: admin}}, **bounds})
    params = {"contextSize": 8192, "extraArgs": ["--tools"]}
    body = make_modelserve(namespace, runtimeParams=params)
    message = await refusal(create(api, with_token(body, token())))
    assert "spec.runtimeParams.contextSize" in message
    assert "spec.runtimeParams.extraArgs[0]" in message
