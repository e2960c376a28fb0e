"""Fixtures of the cluster with the chart and a model source, and of a namespace for each test."""

import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dev import samplegguf
from dev.demo import admission, namespaces, source
from dev.demo.kubectl import Cluster
from tests.e2e.rights.audited import Audited
from tests.e2e.serves import USERS, Serves
from tests.e2e.sharing import SharedCluster
from tests.e2e.webhook_outage import WebhookOutage, cause_outage
from tests.support.scheduling import is_alone, place

BIG_BYTES = 2 * 2**30
BIG_MODEL = "big-model"


CONTRACT = {
    "apiVersion": "model.example.com/v1alpha1",
    "kind": "ResourceContract",
    "metadata": {"name": "e2e"},
    "spec": {
        "namespaces": {"names": ["e2e-*"]},
        "authorization": {"groups": [USERS]},
        "models": ["*"],
        "perServer": {"replicas": 4},
        "config": {"images": ["*"]},
    },
}
"""Covers the namespaces of all tests."""


def as_admin(cluster: Cluster, body: Mapping[str, Any]) -> None:
    """`kubectl apply` with an administrator's token."""
    token = admission.token(cluster, "admin", admission.ADMINS)
    cluster.apply(admission.with_token(json.dumps(body), token))


@pytest.fixture(scope="session")
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[SharedCluster]:
    """The state that all processes of this run share."""
    folder = tmp_path_factory.getbasetemp()
    given: Path | None = request.config.getoption("--cluster-run")
    own = folder if worker_id == "master" else folder.parent
    with SharedCluster.join(given or own, stays=given is not None) as found:
        yield found


@pytest.fixture(scope="session")
def cluster(shared: SharedCluster) -> Cluster:
    """The cluster of `make up`, started if it isn't up; one that was up before stays up."""
    return shared.install_once(lambda found: as_admin(found, CONTRACT))


@pytest.fixture(scope="session", autouse=True)
def audited(shared: SharedCluster, cluster: Cluster) -> Audited:
    """The audit log since the chart was installed, before any test of any process."""
    return shared.audited(cluster)


@pytest.fixture(scope="module", autouse=True)
def _alone(request: pytest.FixtureRequest, shared: SharedCluster, cluster: Cluster) -> None:
    """Make files that need the cluster exclusively wait until no other process uses it."""
    if is_alone(request.node.nodeid):
        shared.wait_for_other_processes()


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace for one test."""
    name = f"e2e-{secrets.token_hex(3)}"
    namespaces.ensure(cluster, name)
    yield name
    cluster.run("delete", "namespace", name, "--wait=false")


@pytest.fixture
def serves(cluster: Cluster, namespace: str) -> Serves:
    """ModelServes in the test's namespace."""
    return Serves(cluster=cluster, namespace=namespace)


@pytest.fixture(scope="session")
def webhook_outage(shared: SharedCluster, cluster: Cluster) -> Iterator[WebhookOutage]:
    """An outage of the webhooks, once for the session; for files that need the cluster alone."""
    # This fixture may run before `_alone`, which is of a module.
    shared.wait_for_other_processes()
    name = f"e2e-{secrets.token_hex(3)}"
    namespaces.ensure(cluster, name)
    yield cause_outage(Serves(cluster=cluster, namespace=name))
    cluster.run("delete", "namespace", name, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="session")
def big_model(
    cluster: Cluster, shared: SharedCluster, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Name of a 2 GiB model of the Quant service: large enough to interrupt its transfer."""
    with shared.locked("big-model"):
        file = tmp_path_factory.mktemp("big") / "big.gguf"
        samplegguf.write(file, BIG_BYTES)
        source.upload(cluster, file, f"{BIG_MODEL}.gguf")
        file.unlink()
    return BIG_MODEL


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Set a timeout that includes a build; sort files that need the cluster exclusively last."""
    part = config.getoption("--cluster-part")
    left_out = [item for item in items if part and is_alone(item.nodeid) != (part == "alone")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: place(item.nodeid))
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(1800))
