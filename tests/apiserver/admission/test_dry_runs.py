"""Dry runs get the same answers and change nothing."""

from __future__ import annotations

import json

from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.apiserver.conftest import Kubectl
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.custom_objects import create, get
from tests.support.webhooks.tokens import RECEIPT, TOKEN, contract_for, with_token


async def _one_server(api: client.ApiClient, namespace: str, admin: str) -> Raw:
    return await create(api, with_token(contract_for(namespace, total={"servers": 1}), admin))


async def test_dry_run_reserves_nothing_and_stores_nothing(
    api: client.ApiClient, kubectl: Kubectl, namespace: str, token: MakeToken, admin: str
) -> None:
    agreed = await _one_server(api, namespace, admin)
    manifest = json.dumps(with_token(make_modelserve(namespace), token()))
    for flags in ((), ("--server-side",)):
        command = ("apply", "--dry-run=server", "-o", "json", *flags, "-f", "-")
        done = kubectl(*command, manifest=manifest)
        assert done.returncode == 0, done.stderr
        annotations = json.loads(done.stdout)["metadata"]["annotations"]
        assert RECEIPT in annotations
        assert TOKEN not in annotations
    assert (await get(api, agreed)).get("status", {}).get("reservations") is None
    assert kubectl("get", "modelserves", "-n", namespace, "-o", "name").stdout == ""


async def test_dry_run_is_denied_if_the_contract_does_not_allow_it(
    api: client.ApiClient, kubectl: Kubectl, namespace: str, token: MakeToken, admin: str
) -> None:
    await _one_server(api, namespace, admin)
    await create(api, with_token(make_modelserve(namespace), token()))
    manifest = json.dumps(with_token(make_modelserve(namespace), token()))
    done = kubectl("apply", "--dry-run=server", "-f", "-", manifest=manifest)
    assert "OverTotal" in done.stderr


async def test_dry_run_without_a_token_posts_no_event(
    api: client.ApiClient, kubectl: Kubectl, namespace: str, contract: Raw
) -> None:
    manifest = json.dumps(make_modelserve(namespace))
    done = kubectl("apply", "--dry-run=server", "-f", "-", manifest=manifest)
    assert "TokenMissing" in done.stderr
    assert kubectl("get", "events", "-n", namespace, "-o", "name").stdout == ""


async def test_diff_shows_no_token_and_changes_nothing(
    api: client.ApiClient, kubectl: Kubectl, namespace: str, contract: Raw, token: MakeToken
) -> None:
    body = make_modelserve(namespace)
    kubectl("apply", "-f", "-", manifest=json.dumps(with_token(body, token())))
    before = await get(api, body)
    same = kubectl("diff", "-f", "-", manifest=json.dumps(with_token(body, token())))
    assert (same.returncode, same.stdout) == (0, "")
    given = token()
    other = with_token({**body, "spec": {**body["spec"], "replicas": 2}}, given)
    differs = kubectl("diff", "-f", "-", manifest=json.dumps(other))
    assert differs.returncode == 1
    assert "+  replicas: 2" in differs.stdout
    assert given not in differs.stdout
    assert await get(api, body) == before
