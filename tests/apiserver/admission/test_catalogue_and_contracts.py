"""Who may change and delete Models and ResourceContracts."""

from __future__ import annotations

from typing import Any

from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.apiserver.conftest import Kubectl
from tests.support.builders.objects import Raw, fresh_name, make_model, make_modelserve
from tests.support.custom_objects import call, create, delete, get, patch, path, refusal
from tests.support.webhooks.tokens import TOKEN, contract_for, with_token

DELETION = "model.example.com/deletion"


async def test_only_admins_create_and_change_contracts(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str
) -> None:
    body = contract_for(namespace)
    assert "NotAuthorized" in await refusal(create(api, with_token(body, token())))
    stored = await create(api, with_token(body, admin))
    wider: Any = {"metadata": {"annotations": {TOKEN: token()}}, "spec": {"models": ["gemma-*"]}}
    assert "NotAuthorized" in await refusal(patch(api, stored, wider))
    wider["metadata"]["annotations"][TOKEN] = admin
    assert (await patch(api, stored, wider))["spec"]["models"] == ["gemma-*"]


async def test_contract_is_deleted_only_after_an_admin_requested_it(
    api: client.ApiClient,
    kubectl: Kubectl,
    namespace: str,
    contract: Raw,
    token: MakeToken,
    admin: str,
) -> None:
    name = contract["metadata"]["name"]
    refused = kubectl("delete", "rct", name)
    assert "DeletionNotAsked" in refused.stderr
    command = ("annotate", "--overwrite", "rct", name, f"{DELETION}=yes")
    assert "TokenMissing" in kubectl(*command).stderr
    assert "NotAuthorized" in kubectl(*command, f"{TOKEN}={token()}").stderr
    asked = kubectl(*command, f"{TOKEN}={admin}")
    assert asked.returncode == 0, asked.stderr
    stored = await get(api, contract)
    assert stored["metadata"]["annotations"][DELETION] != "yes"
    assert TOKEN not in stored["metadata"]["annotations"]
    done = kubectl("delete", "rct", name)
    assert done.returncode == 0, done.stderr


async def test_contract_is_not_deleted_with_a_collection(
    api: client.ApiClient, contract: Raw
) -> None:
    selected = f"fieldSelector=metadata.name%3D{contract['metadata']['name']}"
    message = await refusal(call(api, "DELETE", f"{path(contract, named=False)}?{selected}"))
    assert "denied the request" in message
    assert await get(api, contract)


async def test_deletion_permit_is_invalid_for_another_object(
    api: client.ApiClient, kubectl: Kubectl, namespace: str, contract: Raw, admin: str
) -> None:
    other = await create(api, with_token(contract_for("elsewhere"), admin))
    names = [each["metadata"]["name"] for each in (contract, other)]
    kubectl("annotate", "rct", names[0], f"{DELETION}=yes", f"{TOKEN}={admin}")
    leave = (await get(api, contract))["metadata"]["annotations"][DELETION]
    copied = kubectl("annotate", "rct", names[1], f"{DELETION}={leave}")
    assert "TokenMissing" in copied.stderr
    assert "DeletionNotAsked" in kubectl("delete", "rct", names[1]).stderr


async def test_model_is_created_only_if_a_contract_allows_its_name(
    api: client.ApiClient, namespace: str, token: MakeToken, admin: str
) -> None:
    prefix = fresh_name("mine")
    agreed = contract_for(namespace, models=[f"{prefix}-*"])
    await create(api, with_token(agreed, admin))
    given = token()
    own = {"quant": {"modelId": f"{prefix}-one"}}
    await create(api, with_token(make_model(name=f"{prefix}-one", source=own), given))
    stranger = token("eve", "strangers")
    for body, shown in (
        (make_model(name=f"{prefix}-two"), stranger),
        (make_model(name=fresh_name("other")), token("eve", "strangers")),
    ):
        assert "NotAuthorized" in await refusal(create(api, with_token(body, shown)))


async def test_deleting_a_model_in_use_is_denied_with_its_servers(
    api: client.ApiClient,
    kubectl: Kubectl,
    namespace: str,
    contract: Raw,
    token: MakeToken,
    admin: str,
) -> None:
    model = await create(api, with_token(make_model(), admin))
    name = model["metadata"]["name"]
    by_name = await create(api, with_token(make_modelserve(namespace, modelName=name), token()))
    uuid = model["metadata"]["uid"]
    by_uuid = await create(api, with_token(make_modelserve(namespace, modelUuid=uuid), token()))
    command = ("annotate", "--overwrite", "model", name, f"{DELETION}=yes", f"{TOKEN}={admin}")
    assert kubectl(*command).returncode == 0
    refused = kubectl("delete", "model", name)
    assert "ModelInUse" in refused.stderr
    for serve in (by_name, by_uuid):
        assert f"{namespace}/{serve['metadata']['name']}" in refused.stderr
        await delete(api, serve)
    done = kubectl("delete", "model", name)
    assert done.returncode == 0, done.stderr
