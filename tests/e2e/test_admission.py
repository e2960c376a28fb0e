"""The webhooks' pods: rolled out under load, scaled to zero; where a token is stored."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster.layout import ETCD_DATA
from dev.demo import admission
from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from dev.errors import DevError
from tests.e2e.repeating import Repeatedly
from tests.e2e.serves import USERS, Serves, make_serve
from tests.e2e.webhook_outage import WEBHOOKS, WebhookOutage, restore_webhooks

COMPONENT = "app.kubernetes.io/component"
KINDS = "models,modelserves,resourcecontracts,deployments,pods,services,secrets,configmaps,events"


@pytest.fixture
def restored_webhooks(serves: Serves) -> Iterator[None]:
    """Restores the webhooks after a test."""
    yield
    restore_webhooks(serves)


def test_create_without_a_token_is_denied(serves: Serves) -> None:
    with pytest.raises(DevError, match="TokenMissing"):
        serves.kubectl("apply", "-f", "-", stdin=json.dumps(make_serve()))


def test_scaling_past_the_contract_is_denied(serves: Serves) -> None:
    serves.apply(make_serve(replicas=0))
    with pytest.raises(DevError, match="contract e2e allows 4 replicas"):
        serves.kubectl("scale", "modelserve", "gemma", "--replicas=5")


@pytest.mark.fault("R13", heals="nothing to recover: no admission is lost")
def test_rollout_of_the_webhooks_loses_no_admission(
    cluster: Cluster, serves: Serves, restored_webhooks: None
) -> None:
    with Repeatedly(serves.dry_run) as creating:
        cluster.run("-n", NAMESPACE, "rollout", "restart", WEBHOOKS)
        cluster.run("-n", NAMESPACE, "rollout", "status", WEBHOOKS, "--timeout=180s")
    assert creating.failures == []
    assert creating.passed >= 3


@pytest.mark.fault("R13", heals="creates are refused until a pod is ready; deletions work")
def test_create_fails_and_delete_works_without_webhooks(webhook_outage: WebhookOutage) -> None:
    assert "failed calling webhook" in webhook_outage.refusal
    assert webhook_outage.deleted


def test_token_is_not_stored(cluster: Cluster, serves: Serves) -> None:
    token = admission.token(cluster, "alice", USERS)
    manifest = admission.with_token(json.dumps(make_serve(replicas=0)), token)
    serves.kubectl("apply", "-f", "-", stdin=manifest)
    signature = token.rsplit(".", 1)[1]
    stored = cluster.run("get", KINDS, "-A", "-o", "json", "--show-managed-fields")
    logs = [
        cluster.run("-n", NAMESPACE, "logs", "--tail=-1", "-l", f"{COMPONENT}={part}")
        for part in ("operator", "webhooks")
    ]
    assert "modelserve" in stored.lower()
    assert signature not in stored
    assert signature not in "".join(logs)
    assert files_with(ETCD_DATA, signature) == []
    assert files_with(ETCD_DATA, serves.namespace), "etcd is looked for in another place"


def files_with(folder: Path, text: str) -> list[str]:
    """Files below a folder that contain a text; searched again if a file was renamed meanwhile."""
    try:
        files = [path for path in folder.rglob("*") if path.is_file()]
        return [path.name for path in files if text.encode() in path.read_bytes()]
    except FileNotFoundError:
        return files_with(folder, text)
