"""A change that never rolls out: what still runs of the server counts against its contract."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dev.demo import admission
from dev.demo.kubectl import Cluster
from dev.errors import DevError
from tests.e2e.conftest import CONTRACT, as_admin
from tests.e2e.serves import RESOURCES, USERS, Serves, make_serve
from tests.support.waiting import wait_until

LITTLE = {"requests": {"cpu": "10m", "memory": "1Mi"}, "limits": {"cpu": "1", "memory": "1Mi"}}
NOWHERE = {"nodeSelector": {"example.com/nowhere": "x"}}


@pytest.fixture
def contract(cluster: Cluster, namespace: str) -> Iterator[str]:
    """The contract of this test: enough for one server of 1Gi and little more."""
    spec = {
        "namespaces": {"names": [namespace]},
        "authorization": {"groups": [USERS]},
        "models": ["*"],
        "total": {"memory": "1100Mi"},
    }
    as_admin(cluster, {**CONTRACT, "metadata": {"name": namespace}, "spec": spec})
    yield namespace
    token = admission.token(cluster, "admin", admission.ADMINS)
    marks = ["model.example.com/deletion=yes", f"model.example.com/auth-token={token}"]
    cluster.run("annotate", "--overwrite", "resourcecontract", namespace, *marks)
    cluster.run("delete", "resourcecontract", namespace)


def granted(serves: Serves) -> str:
    status = serves.get("modelserve", "gemma").get("status", {})
    return str(status.get("granted", {}).get("resources", {}).get("memory", ""))


def is_admitted(serves: Serves, serve: Mapping[str, Any]) -> bool:
    token = admission.token(serves.cluster, "alice", USERS)
    manifest = admission.with_token(json.dumps(serve), token)
    try:
        serves.kubectl("create", "--dry-run=server", "-f", "-", stdin=manifest)
    except DevError:
        return False
    return True


def test_rollout_that_never_completes_releases_nothing(serves: Serves, contract: str) -> None:
    serves.apply(make_serve(contract=contract))
    serves.until_ready()
    assert granted(serves) == "1Gi"
    serves.apply(make_serve(contract=contract, resources=LITTLE, config=NOWHERE))
    serves.until("gemma", "WorkloadReady", "RolloutFailing")
    second = make_serve("second", contract=contract, resources=RESOURCES)
    with pytest.raises(DevError, match="1100Mi in total, 76Mi of it free"):
        serves.apply(second)
    assert granted(serves) == "1Gi"
    serves.kubectl("scale", "modelserve", "gemma", "--replicas=0")
    wait_until(lambda: granted(serves) == "0")
    # Each webhooks pod notices it by its own watch.
    wait_until(lambda: is_admitted(serves, second))
