"""What Argo CD sends: server-side diffs, its migration from client-side apply, and adoption."""

from __future__ import annotations

import json

from kubernetes.aio import client

from tests.apiserver.conftest import Kubectl
from tests.apiserver.gitops.conftest import APPLIER, STRANGER, expired_token
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.custom_objects import get
from tests.support.webhooks.tokens import RECEIPT, dev_token, with_token
from tests.support.webhooks.webhook_process import Folder

MANAGER = "--field-manager=argocd-controller"
SERVER_SIDE = ("apply", "--server-side", MANAGER, "--force-conflicts")


def applied(kubectl: Kubectl, body: Raw, *flags: str, by: str = APPLIER) -> Raw:
    """Apply the object and return what kubectl prints of it."""
    manifest = json.dumps(body)
    done = kubectl(
        *flags, f"--as={by}", "-o", "json", "--show-managed-fields", "-f", "-", manifest=manifest
    )
    assert done.returncode == 0, done.stderr
    found: Raw = json.loads(done.stdout)
    return found


async def test_server_side_diff_of_a_synced_object_is_byte_equal(
    kubectl: Kubectl, api: client.ApiClient, namespace: str, contract: Raw
) -> None:
    body = make_modelserve(namespace)
    applied(kubectl, body, *SERVER_SIDE)
    before = await get(api, body)
    assert applied(kubectl, body, *SERVER_SIDE, "--dry-run=server") == before
    assert applied(kubectl, body, *SERVER_SIDE) == before


async def test_client_side_apply_of_a_synced_object_changes_nothing(
    kubectl: Kubectl, api: client.ApiClient, namespace: str, contract: Raw
) -> None:
    body = make_modelserve(namespace)
    applied(kubectl, body, "apply", MANAGER)
    before = await get(api, body)
    assert applied(kubectl, body, "apply", MANAGER, "--dry-run=server") == before
    assert applied(kubectl, body, "apply", MANAGER) == before


async def test_client_side_apply_with_a_token_is_byte_equal_before_and_after_it_expires(
    kubectl: Kubectl, api: client.ApiClient, namespace: str, contract: Raw, folder: Folder
) -> None:
    body = make_modelserve(namespace)
    token = dev_token(folder)
    applied(kubectl, with_token(body, token), "apply", by=STRANGER)
    before = await get(api, body)
    for text in (token, expired_token(folder)):
        for flags in (("--dry-run=server",), ()):
            assert applied(kubectl, with_token(body, text), "apply", *flags, by=STRANGER) == before


async def test_migration_from_client_side_apply_keeps_the_receipt(
    kubectl: Kubectl, api: client.ApiClient, namespace: str, contract: Raw
) -> None:
    """Argo CD replaces managedFields by an UPDATE without a token, then applies server-side."""
    body = make_modelserve(namespace)
    applied(kubectl, body, "apply", "--field-manager=kubectl-client-side-apply")
    before = await get(api, body)
    fields = before["metadata"]["managedFields"]
    migrated = [{**each, "manager": "argocd-controller"} for each in fields]
    change = {**before, "metadata": {**before["metadata"], "managedFields": migrated}}
    applied(kubectl, change, "replace", by=STRANGER)
    after = applied(kubectl, body, *SERVER_SIDE)
    assert after["metadata"]["annotations"][RECEIPT] == before["metadata"]["annotations"][RECEIPT]
    assert after["spec"] == before["spec"]


async def test_adopted_object_keeps_its_author(
    kubectl: Kubectl, api: client.ApiClient, namespace: str, contract: Raw, folder: Folder
) -> None:
    """Argo CD adds its tracking annotation to an object that a user created with a token."""
    body = with_token(make_modelserve(namespace), dev_token(folder))
    created = applied(kubectl, body, "create", by=STRANGER)
    tracked = make_modelserve(namespace, name=body["metadata"]["name"])
    tracked["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "app:a/b:c/d"}
    adopted = applied(kubectl, tracked, *SERVER_SIDE)
    assert adopted["metadata"]["annotations"].items() >= created["metadata"]["annotations"].items()
