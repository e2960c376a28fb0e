"""Updates, receipts of other objects, and callers that belong to Kubernetes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kubernetes.aio import client

from roadstead.tokens.receipt_keys import SigningKey
from roadstead.tokens.receipts import Binding, sign, spec_digest
from tests.apiserver.admission.conftest import MakeToken
from tests.apiserver.conftest import Kubectl
from tests.support.builders.objects import Raw, fresh_name, make_model, make_modelserve
from tests.support.custom_objects import call, create, delete, get, patch, refusal
from tests.support.webhooks.tokens import RECEIPT, TOKEN, contract_for, with_annotations, with_token

OPERATOR = "system:serviceaccount:roadstead-system:roadstead-operator"
COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
NAMESPACES = "system:serviceaccount:kube-system:namespace-controller"
EXPIRED = {TOKEN: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"}


def impersonating(user: str) -> tuple[str, ...]:
    """Return kubectl's flags to impersonate a user whom RBAC allows everything."""
    return (f"--as={user}", "--as-group=system:masters")


async def _served(api: client.ApiClient, namespace: str, token: str, **spec: Any) -> Raw:
    return await create(api, with_token(make_modelserve(namespace, **spec), token))


def _annotations(values: dict[str, str | None]) -> dict[str, Any]:
    return {"metadata": {"annotations": values}}


@pytest.mark.parametrize("text", [None, "", "forged", "eyJh.eyJh.eyJh"])
async def test_edited_or_removed_receipt_is_restored(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken, text: str | None
) -> None:
    serve = await _served(api, namespace, token())
    changed = await patch(api, serve, _annotations({RECEIPT: text}))
    assert changed["metadata"]["annotations"] == serve["metadata"]["annotations"]


@pytest.mark.fault("R15", heals="denied: a receipt is bound to its object")
async def test_receipt_copied_from_another_object_is_invalid(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    serve = await _served(api, namespace, token())
    copied = {RECEIPT: serve["metadata"]["annotations"][RECEIPT]}
    body = with_annotations(
        make_modelserve(namespace, contract=contract["metadata"]["name"]), copied
    )
    assert "TokenMissing" in await refusal(create(api, body))


@pytest.mark.fault("R15", heals="a receipt copied into another namespace is not valid there")
async def test_receipt_copied_into_another_namespace_is_invalid(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken, admin: str
) -> None:
    serve = await _served(api, namespace, token())
    elsewhere = fresh_name("elsewhere")
    await call(api, "POST", "/api/v1/namespaces", {"metadata": {"name": elsewhere}})
    await create(api, with_token(contract_for(elsewhere), admin))
    copied = {RECEIPT: serve["metadata"]["annotations"][RECEIPT]}
    body = make_modelserve(elsewhere, name=serve["metadata"]["name"])
    assert "TokenMissing" in await refusal(create(api, with_annotations(body, copied)))


@pytest.mark.fault("R15", heals="denied: a receipt signed with another key is not valid")
async def test_receipt_signed_with_another_key_is_invalid(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    serve = await _served(api, namespace, token())
    key = SigningKey.generate()
    spec = {**serve["spec"], "runtimeParams": {"contextSize": 9999}}
    binding = Binding(
        kind="ModelServe",
        namespace=namespace,
        name=serve["metadata"]["name"],
        uid=serve["metadata"]["uid"],
        spec_digest=spec_digest("ModelServe", spec),
    )
    forged = sign(
        subject="alice",
        issuer="roadstead-dev",
        groups=frozenset({"demo-users"}),
        scopes=frozenset(),
        contract=contract["metadata"]["name"],
        binding=binding,
        issued_at=0,
        key=key.private,
        key_id=key.key_id,
    )
    changes = {**_annotations({RECEIPT: forged}), "spec": spec}
    assert "TokenMissing" in await refusal(patch(api, serve, changes))


async def test_changed_spec_gets_a_new_receipt(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    serve = await _served(api, namespace, token())
    changes = {**_annotations({TOKEN: token("bob")}), "spec": {"runtimeParams": {"seed": 7}}}
    changed = await patch(api, serve, changes)
    assert changed["metadata"]["annotations"][RECEIPT] != serve["metadata"]["annotations"][RECEIPT]
    scaled = await patch(api, changed, {"spec": {"replicas": 2}}, "scale")
    assert scaled["spec"]["replicas"] == 2


async def test_object_renamed_by_delete_and_create_needs_a_token(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    serve = await _served(api, namespace, token())
    exported = {key: serve[key] for key in ("apiVersion", "kind", "spec")}
    meta = {"namespace": namespace, "annotations": serve["metadata"]["annotations"]}
    await delete(api, serve)
    for name in (serve["metadata"]["name"], fresh_name("renamed")):
        body = {**exported, "metadata": {**meta, "name": name}}
        assert "TokenMissing" in await refusal(create(api, body))


async def test_bad_token_is_denied_even_on_an_unchanged_spec(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    serve = await _served(api, namespace, token())
    message = await refusal(patch(api, serve, _annotations({TOKEN: token(aud="other")})))
    assert "TokenAudience" in message


@pytest.mark.fault("R14", heals="an object that is being deleted is deleted, whatever token it has")
async def test_finalizer_of_an_object_being_deleted_is_removed_with_any_token(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    serve = await _served(api, namespace, token())
    await patch(api, serve, {"metadata": {"finalizers": ["example.com/wait"]}})
    await delete(api, serve)
    await patch(api, serve, {"metadata": {"annotations": {**EXPIRED}, "finalizers": []}})
    with pytest.raises(client.ApiException) as caught:
        await get(api, serve)
    assert caught.value.status == 404


async def test_status_is_written_without_a_token(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    serve = await _served(api, namespace, token())
    changed = await patch(api, serve, {"status": {"replicas": 1}}, "status")
    assert changed["status"]["replicas"] == 1


@pytest.mark.parametrize("user", [COLLECTOR, NAMESPACES, OPERATOR])
async def test_server_is_deleted_without_a_token(
    api: client.ApiClient,
    kubectl: Kubectl,
    namespace: str,
    contract: Raw,
    token: MakeToken,
    user: str,
) -> None:
    serve = await _served(api, namespace, token())
    name = serve["metadata"]["name"]
    done = kubectl("delete", "modelserve", name, "-n", namespace, *impersonating(user))
    assert done.returncode == 0, done.stderr


@pytest.mark.fault("R14", heals="the deletion of a namespace needs no token")
async def test_all_servers_of_a_namespace_are_deleted_at_once(
    api: client.ApiClient, kubectl: Kubectl, namespace: str, contract: Raw, token: MakeToken
) -> None:
    for _ in range(3):
        await _served(api, namespace, token())
    flags = impersonating(NAMESPACES)
    done = kubectl("delete", "modelserves", "--all", "-n", namespace, *flags)
    assert done.stdout.count("deleted") == 3


async def test_operator_creates_a_model_that_a_server_requests(
    api: client.ApiClient, kubectl: Kubectl, namespace: str, contract: Raw, token: MakeToken
) -> None:
    name = fresh_name("wanted")
    await _served(api, namespace, token(), modelName=name)
    manifest = json.dumps(make_model(name=name, source={"quant": {"modelId": name}}))
    done = kubectl("create", "-f", "-", *impersonating(OPERATOR), manifest=manifest)
    assert done.returncode == 0, done.stderr


async def test_operator_creates_no_other_model_and_changes_no_spec(
    api: client.ApiClient, kubectl: Kubectl, namespace: str, contract: Raw, token: MakeToken
) -> None:
    model = json.dumps(make_model(name=fresh_name("unwanted")))
    assert (
        "ModelNotAsked"
        in kubectl("create", "-f", "-", *impersonating(OPERATOR), manifest=model).stderr
    )
    serve = await _served(api, namespace, token())
    change = json.dumps({"spec": {"replicas": 0}})
    flags = ("-n", namespace, "--type=merge", "-p", change, *impersonating(OPERATOR))
    done = kubectl("patch", "modelserve", serve["metadata"]["name"], *flags)
    assert "TokenMissing" in done.stderr
