"""Roadstead is removed in the usual orders: nothing hangs and nothing remains."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.demo import admission
from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from tests.e2e import releases
from tests.e2e.serves import MODEL, Serves, make_serve
from tests.support.faults_table import Healing
from tests.support.waiting import wait_until

KINDS = ("modelserves", "models", "resourcecontracts")
DEFINITIONS = [f"{kind}.model.example.com" for kind in KINDS]
SECONDS = 240.0
"""Measured: 14 to 45; the test machine may be slow."""
LEFTOVERS = (
    "validatingwebhookconfigurations,mutatingwebhookconfigurations,validatingadmissionpolicies,"
    "validatingadmissionpolicybindings,clusterroles,clusterrolebindings"
)
OURS = ("-l", "app.kubernetes.io/instance=roadstead,app.kubernetes.io/part-of=roadstead")
ROADSTEAD = Path(__file__).parents[2] / ".venv" / "bin" / "roadstead"

Step = Callable[[Serves], None]


def uninstall(serves: Serves) -> None:
    releases.uninstall(serves.cluster)


def delete_definitions(serves: Serves) -> None:
    serves.cluster.run("delete", "crd", *DEFINITIONS, f"--timeout={SECONDS:.0f}s")


def delete_namespaces(serves: Serves) -> None:
    where = (serves.namespace, NAMESPACE)
    serves.cluster.run("delete", "namespace", *where, f"--timeout={SECONDS:.0f}s")


def stop_operators(serves: Serves) -> None:
    serves.cluster.run("-n", NAMESPACE, "scale", "deployment/roadstead-operator", "--replicas=0")


def delete_model(serves: Serves) -> None:
    """Delete a Model without an operator that could remove its finalizer."""
    serves.kubectl("delete", "modelserve", "gemma")
    admin = admission.token(serves.cluster, "admin", admission.ADMINS)
    admission.delete_model(serves.cluster, MODEL, admin, "--wait=false")


def delete_leftovers(serves: Serves) -> None:
    serves.cluster.run("delete", LEFTOVERS, *OURS)


def release_models(serves: Serves) -> None:
    environ = {**os.environ, "KUBECONFIG": str(serves.cluster.kubeconfig)}
    subprocess.run([ROADSTEAD, "release-models"], env=environ, check=True)


@pytest.fixture(scope="module")
def restored_release(cluster: Cluster) -> Iterator[None]:
    """Restores the release for the other tests."""
    yield
    releases.ensure_installed(cluster)


@pytest.fixture
def serving(cluster: Cluster, restored_release: None) -> Iterator[Serves]:
    """An installed release, and a namespace with a ready server."""
    releases.ensure_installed(cluster)
    serves = Serves(cluster=cluster, namespace=f"e2e-{secrets.token_hex(3)}")
    cluster.run("create", "namespace", serves.namespace)
    serves.apply(make_serve())
    serves.until_ready()
    yield serves
    cluster.run("delete", "namespace", serves.namespace, "--ignore-not-found", "--wait=false")


@pytest.mark.fault("R17", heals="the servers stop, their totals are released, the Model stays")
def test_deleted_namespace_releases_its_servers(serving: Serves, healing: Healing) -> None:
    # A minute: a namespace is removed after its pods, which have a grace period.
    serving.apply(make_serve("second", replicas=0, modelName="nobody-knows-this"))
    wait_until(lambda: counted_servers(serving) >= 2, seconds=SECONDS)
    with healing():
        serving.cluster.run("delete", "namespace", serving.namespace, f"--timeout={SECONDS:.0f}s")
        wait_until(
            lambda: (counted_servers(serving), model_servers(serving)) == expected_counts(serving),
            seconds=SECONDS,
        )


FIRST = "the chart first"
ORDERS: dict[str, tuple[Step, ...]] = {
    FIRST: (uninstall, delete_definitions, delete_namespaces),
    "the definitions first": (delete_definitions, uninstall, delete_namespaces),
    "with no operator, the namespaces first": (
        stop_operators,
        delete_model,
        delete_namespaces,
        delete_leftovers,
        release_models,
        delete_definitions,
    ),
}


@pytest.mark.fault("R17", heals="everything is deleted, whatever was deleted first")
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(steps, id=name, marks=() if name == FIRST else pytest.mark.long)
        for name, steps in ORDERS.items()
    ],
)
def test_roadstead_is_removed_in_any_order(
    serving: Serves, steps: tuple[Step, ...], healing: Healing
) -> None:
    # A minute: two namespaces are removed with their pods.
    with healing():
        for step in steps:
            step(serving)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not remaining_objects(serving), seconds=SECONDS)
    assert remaining_objects(serving) == []


@pytest.mark.fault(
    "R17", heals="servers keep running, and a release that is installed again adopts them"
)
def test_new_release_adopts_the_servers_of_a_removed_one(serving: Serves, healing: Healing) -> None:
    # Two minutes: the chart is removed and installed again, with the store and Postgres.
    before = [pod["metadata"]["uid"] for pod in serving.pods()]
    uninstall(serving)
    with healing():
        releases.reinstall(serving.cluster)
    assert [pod["metadata"]["uid"] for pod in serving.pods()] == before
    serving.kubectl("scale", "modelserve", "gemma", "--replicas=0")
    # Its Model may have to be transferred again first.
    wait_until(lambda: not serving.pods(), seconds=SECONDS)


def remaining_objects(serves: Serves) -> list[str]:
    """Objects of the chart and its operator that still exist."""
    ask = functools.partial(serves.cluster.run, "get", "-o", "name")
    spaces = [f"namespace/{name}" for name in (serves.namespace, NAMESPACE)]
    kinds = [f"customresourcedefinition.apiextensions.k8s.io/{name}" for name in DEFINITIONS]
    there = set(ask("namespaces,crd").splitlines())
    return ask(LEFTOVERS, *OURS).splitlines() + sorted(there & {*spaces, *kinds})


def counted_servers(serves: Serves) -> int:
    """The number of servers that the contract counts."""
    contract = serves.cluster.get("resourcecontract", "e2e") or {}
    return int(contract.get("status", {}).get("used", {}).get("servers", 0))


def model_servers(serves: Serves) -> int:
    """The number of servers in the Model's status."""
    return int(serves.get("model", MODEL)["status"]["servers"])


def expected_counts(serves: Serves) -> tuple[int, int]:
    """The number of servers that the contract covers, and that use the Model.

    Read each time: namespaces of other tests may be terminating.
    """
    found = json.loads(serves.cluster.run("get", "modelserves", "-A", "-o", "json"))["items"]
    covered = [each for each in found if each["metadata"]["namespace"].startswith("e2e-")]
    using = [each for each in found if each["spec"].get("modelName") == MODEL]
    return len(covered), len(using)
