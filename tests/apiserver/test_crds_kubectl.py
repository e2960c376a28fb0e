"""The CRDs in the output of kubectl."""

import json

import pytest
from kubernetes.aio import client

from tests.apiserver.conftest import Kubectl
from tests.support.builders.objects import (
    fresh_name,
    make_condition,
    make_contract,
    make_model,
    make_modelserve,
)
from tests.support.custom_objects import create, get, patch


def table(output: str) -> list[list[str]]:
    """The columns of each line."""
    return [line.split() for line in output.splitlines()]


async def test_models_are_listed_with_their_columns(
    api: client.ApiClient, kubectl: Kubectl
) -> None:
    model = await create(api, make_model())
    status = {
        "progress": "43%",
        "size": "241MiB",
        "quantization": "Q4_K_M",
        "servers": 2,
        "conditions": [make_condition("Ready", "False", "Transferring")],
    }
    await patch(api, model, {"status": status}, "status")
    name = model["metadata"]["name"]
    header, row = table(kubectl("get", "mdl", name).stdout)
    assert header == ["NAME", "READY", "PROGRESS", "SIZE", "QUANT", "SERVERS", "AGE"]
    assert row[:-1] == [name, "False", "43%", "241MiB", "Q4_K_M", "2"]
    wide = table(kubectl("get", "mdl", name, "-o", "wide").stdout)
    assert wide[1][wide[0].index("REASON")] == "Transferring"


async def test_modelserves_are_listed_with_their_columns(
    api: client.ApiClient, kubectl: Kubectl, namespace: str
) -> None:
    serve = await create(api, make_modelserve(namespace))
    status = {
        "replicas": 1,
        "memory": "512MiB",
        "memoryMax": "612MiB",
        "url": "https://gateway/x",
        "conditions": [make_condition("Ready", "True", "Serving")],
    }
    await patch(api, serve, {"status": status}, "status")
    name = serve["metadata"]["name"]
    header, row = table(kubectl("get", "mserve", "-n", namespace).stdout)
    assert header == ["NAME", "MODEL", "READY", "REASON", "REPLICAS", "MEMORY", "MAX", "URL", "AGE"]
    expected = ["True", "Serving", "1", "512MiB", "612MiB", "https://gateway/x"]
    assert row[:-1] == [name, "gemma-3-270m", *expected]


async def test_model_column_shows_the_uuid_where_no_name_is_given(
    api: client.ApiClient, kubectl: Kubectl, namespace: str
) -> None:
    model_uuid = "0a1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f"
    await create(api, make_modelserve(namespace, modelUuid=model_uuid))
    assert table(kubectl("get", "mserve", "-n", namespace).stdout)[1][1] == model_uuid


async def test_contracts_are_listed_with_their_columns(
    api: client.ApiClient, kubectl: Kubectl
) -> None:
    contract = await create(api, make_contract(expiresAt="2030-01-01T00:00:00Z"))
    used = {"servers": "3/10", "replicas": "5/20", "cpu": "2500m/8", "memory": "8Gi/64Gi"}
    await patch(api, contract, {"status": {"usedText": used}}, "status")
    name = contract["metadata"]["name"]
    header, row = table(kubectl("get", "rct", name).stdout)
    assert header == ["NAME", "SERVERS", "REPLICAS", "CPU", "MEMORY", "EXPIRES", "AGE"]
    assert row[:-1] == [name, *used.values(), "2030-01-01T00:00:00Z"]


async def test_category_lists_all_three_kinds(
    api: client.ApiClient, kubectl: Kubectl, namespace: str
) -> None:
    for body in (make_model(), make_modelserve(namespace), make_contract()):
        await create(api, body)
    listed = kubectl("get", "roadstead", "-n", namespace, "-o", "name").stdout
    kinds = {line.partition("/")[0] for line in listed.split()}
    expected = ("model", "modelserve", "resourcecontract")
    assert kinds == {f"{kind}.model.example.com" for kind in expected}


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param([], id="client-side-apply"),
        pytest.param(["--server-side"], id="server-side-apply"),
    ],
)
def test_apply_names_an_unknown_runtime_param(kubectl: Kubectl, flags: list[str]) -> None:
    body = make_modelserve("default", runtimeParams={"contextLength": 4096})
    ended = kubectl("apply", *flags, "-f", "-", manifest=json.dumps(body))
    assert ended.returncode != 0
    assert "spec.runtimeParams.contextLength" in ended.stderr


async def test_applied_serve_can_be_applied_again(kubectl: Kubectl, namespace: str) -> None:
    manifest = json.dumps(make_modelserve(namespace, resources={"limits": {"memory": "2Gi"}}))
    assert "created" in kubectl("apply", "-f", "-", manifest=manifest).stdout
    assert "unchanged" in kubectl("apply", "-f", "-", manifest=manifest).stdout


async def test_kubectl_scale_sets_replicas(
    api: client.ApiClient, kubectl: Kubectl, namespace: str
) -> None:
    serve = await create(api, make_modelserve(namespace))
    name = f"modelserve/{serve['metadata']['name']}"
    ended = kubectl("scale", name, "-n", namespace, "--replicas=3")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (await get(api, serve))["spec"]["replicas"] == 3


def test_explain_describes_runtime_params(kubectl: Kubectl) -> None:
    text = " ".join(kubectl("explain", "modelserve.spec.runtimeParams").stdout.split())
    assert "What llama.cpp's llama-server runs with." in text
    assert "contextSize <integer> Context in tokens, shared by all parallel slots" in text


@pytest.mark.parametrize("kind", ["model", "modelserve", "resourcecontract"])
def test_explain_has_text_for_every_field(kubectl: Kubectl, kind: str) -> None:
    for section in ("spec", "status"):
        text = kubectl("explain", f"{kind}.{section}").stdout
        assert "<no description>" not in text
        assert "DESCRIPTION" in text


def test_name_of_a_model_is_a_dns_name(kubectl: Kubectl) -> None:
    body = make_model(name="Gemma_3")
    ended = kubectl("create", "-f", "-", manifest=json.dumps(body))
    assert "lowercase RFC 1123 subdomain" in ended.stderr


def test_dry_run_stores_nothing(kubectl: Kubectl) -> None:
    name = fresh_name("model")
    manifest = json.dumps(make_model(name=name))
    assert kubectl("apply", "--dry-run=server", "-f", "-", manifest=manifest).returncode == 0
    assert "NotFound" in kubectl("get", "model", name).stderr
