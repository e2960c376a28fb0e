"""Flux's own apply engine creates, changes and prunes, and writes nothing if nothing changed."""

from __future__ import annotations

import json

import pytest
from kubernetes.aio import client

from dev.servers.apiserver import ApiServer
from tests.apiserver.gitops.conftest import APPLIER, REQUESTED_BY, STRANGER, expired_token
from tests.apiserver.gitops.flux import CONFIGURED, CREATED, DELETED, UNCHANGED, Flux
from tests.support.builders.objects import Raw, make_model, make_modelserve
from tests.support.custom_objects import get, refusal
from tests.support.webhooks.tokens import TOKEN, contract_for, dev_token, with_token
from tests.support.webhooks.webhook_process import Folder


@pytest.fixture
def flux(apiserver: ApiServer) -> Flux:
    return Flux.of(apiserver, APPLIER)


def writes(server: ApiServer, body: Raw) -> int:
    """Return how many requests have changed the object, dry runs included."""
    name = body["metadata"]["name"]
    events = map(json.loads, server.audit.read_text().splitlines())
    return sum(
        (each.get("objectRef") or {}).get("name") == name and "dryRun" not in each["requestURI"]
        for each in events
    )


def seeded(body: Raw, seed: int = 7) -> Raw:
    return {**body, "spec": {**body["spec"], "runtimeParams": {"seed": seed}}}


async def test_flux_creates_changes_and_prunes_without_a_token(
    api: client.ApiClient, flux: Flux, namespace: str
) -> None:
    first, model = contract_for(namespace), make_model()
    serve = make_modelserve(namespace)
    name = serve["metadata"]["name"]
    assert CREATED in flux.reconcile(first, model).actions.values()
    assert flux.reconcile(first, model, serve).actions[name] == CREATED
    assert (await get(api, serve))["metadata"]["annotations"][REQUESTED_BY] == APPLIER
    assert flux.reconcile(first, model, seeded(serve)).actions[name] == CONFIGURED
    pruned = flux.reconcile(prune=(serve, model, first))
    assert set(pruned.actions.values()) == {DELETED}
    assert "not found" in await refusal(get(api, serve))


async def test_reconciles_without_a_change_write_nothing(
    apiserver: ApiServer, api: client.ApiClient, flux: Flux, namespace: str
) -> None:
    objects = contract_for(namespace), make_model()
    serve = make_modelserve(namespace)
    flux.reconcile(*objects)
    flux.reconcile(serve)
    before = [await get(api, each) for each in (*objects, serve)]
    written = writes(apiserver, serve)
    for _ in range(3):
        again = flux.reconcile(*objects, serve)
        assert (set(again.actions.values()), again.error) == ({UNCHANGED}, "")
    assert [await get(api, each) for each in (*objects, serve)] == before
    assert writes(apiserver, serve) == written


async def test_reconciles_of_a_manifest_with_a_token_write_nothing_before_and_after_it_expires(
    api: client.ApiClient, apiserver: ApiServer, namespace: str, contract: Raw, folder: Folder
) -> None:
    flux = Flux.of(apiserver, STRANGER)
    serve = make_modelserve(namespace)
    name = serve["metadata"]["name"]
    token = dev_token(folder)
    assert flux.reconcile(with_token(serve, token)).actions[name] == CREATED
    before = await get(api, serve)
    assert TOKEN not in before["metadata"]["annotations"]
    for text in (token, expired_token(folder)):
        assert flux.reconcile(with_token(serve, text)).actions == {name: UNCHANGED}
    assert await get(api, serve) == before


async def test_denial_is_no_reason_to_delete_and_recreate(
    api: client.ApiClient, apiserver: ApiServer, flux: Flux, namespace: str, contract: Raw
) -> None:
    serve = make_modelserve(namespace)
    flux.reconcile(serve)
    before = await get(api, serve)
    other = Flux.of(apiserver, STRANGER)
    refused = {**serve, "spec": {**serve["spec"], "contract": "other"}}
    flags = {**serve, "spec": {**serve["spec"], "runtimeParams": {"extraArgs": ["--no-such"]}}}
    for by, change, reason in (
        (other, seeded(serve), "TokenMissing"),
        (flux, refused, "other"),
        (flux, flags, "extraArgs"),
    ):
        error = by.reconcile(change, force=True).error
        assert reason in error
        assert "dry-run failed (Forbidden): admission webhook" in error
        assert (await get(api, serve))["metadata"]["uid"] == before["metadata"]["uid"]


async def test_refused_object_keeps_flux_from_applying_the_others(
    api: client.ApiClient, flux: Flux, namespace: str, contract: Raw
) -> None:
    allowed = make_modelserve(namespace)
    refused = make_modelserve(namespace, contract="other")
    assert "Contract" in flux.reconcile(allowed, refused).error
    assert "not found" in await refusal(get(api, allowed))
