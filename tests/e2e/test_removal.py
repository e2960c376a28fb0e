"""Everything is taken away, in the orders that people do it in: nothing hangs, nothing is left."""

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
"""Measured are 14 to 45; machines are shared."""
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
    """Somebody gives up on a Model whose operator is not there to let it go."""
    serves.kubectl("delete", "modelserve", "gemma")
    admin = admission.token(serves.cluster, "admin", admission.ADMINS)
    admission.delete_model(serves.cluster, MODEL, admin, "--wait=false")


def delete_leftovers(serves: Serves) -> None:
    serves.cluster.run("delete", LEFTOVERS, *OURS)


def release_models(serves: Serves) -> None:
    environ = {**os.environ, "KUBECONFIG": str(serves.cluster.kubeconfig)}
    subprocess.run([ROADSTEAD, "release-models"], env=environ, check=True)


@pytest.fixture(scope="module")
def back_again(cluster: Cluster) -> Iterator[None]:
    """The release as the other tests have it."""
    yield
    releases.ensure_installed(cluster)


@pytest.fixture
def serving(cluster: Cluster, back_again: None) -> Iterator[Serves]:
    """The release, installed, and a namespace with a server that is ready."""
    releases.ensure_installed(cluster)
    serves = Serves(cluster=cluster, namespace=f"e2e-{secrets.token_hex(3)}")
    cluster.run("create", "namespace", serves.namespace)
    serves.apply(make_serve())
    serves.until_ready()
    yield serves
    cluster.run("delete", "namespace", serves.namespace, "--ignore-not-found", "--wait=false")


@pytest.mark.fault("R17", heals="the servers stop, their totals are released, the Model stays")
def test_a_namespace_goes_with_everything_in_it(serving: Serves, healing: Healing) -> None:
    # A minute: a namespace is gone when its pods are, and those have a grace period.
    serving.apply(make_serve("second", replicas=0, modelName="nobody-knows-this"))
    wait_until(lambda: counted(serving) >= 2, seconds=SECONDS)
    with healing():
        serving.cluster.run("delete", "namespace", serving.namespace, f"--timeout={SECONDS:.0f}s")
        wait_until(
            lambda: (counted(serving), model_servers(serving)) == there(serving), seconds=SECONDS
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
def test_all_of_it_goes_in_any_order(
    serving: Serves, steps: tuple[Step, ...], healing: Healing
) -> None:
    # A minute: two namespaces go with their pods.
    with healing():
        for step in steps:
            step(serving)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not left(serving), seconds=SECONDS)
    assert left(serving) == []


@pytest.mark.fault(
    "R17", heals="servers keep running, and a release that is installed again adopts them"
)
def test_a_release_that_is_gone_leaves_its_servers_to_the_next(
    serving: Serves, healing: Healing
) -> None:
    # Two minutes: the chart goes and is installed again, with MinIO and Postgres.
    before = [pod["metadata"]["uid"] for pod in serving.pods()]
    uninstall(serving)
    with healing():
        releases.installed(serving.cluster)
    assert [pod["metadata"]["uid"] for pod in serving.pods()] == before
    serving.kubectl("scale", "modelserve", "gemma", "--replicas=0")
    # Its Model may have to be brought again first.
    wait_until(lambda: not serving.pods(), seconds=SECONDS)


def left(serves: Serves) -> list[str]:
    """What is there still, of all that the chart and its operator ever made."""
    ask = functools.partial(serves.cluster.run, "get", "-o", "name")
    spaces = [f"namespace/{name}" for name in (serves.namespace, NAMESPACE)]
    kinds = [f"customresourcedefinition.apiextensions.k8s.io/{name}" for name in DEFINITIONS]
    there = set(ask("namespaces,crd").splitlines())
    return ask(LEFTOVERS, *OURS).splitlines() + sorted(there & {*spaces, *kinds})


def counted(serves: Serves) -> int:
    """How many servers the contract counts."""
    contract = serves.cluster.get("resourcecontract", "e2e") or {}
    return int(contract.get("status", {}).get("used", {}).get("servers", 0))


def model_servers(serves: Serves) -> int:
    """How many servers the Model says it has."""
    return int(serves.get("model", MODEL)["status"]["servers"])


def there(serves: Serves) -> tuple[int, int]:
    """How many servers the contract covers, and how many use the Model.

    Asked each time: the namespaces of other tests may be on their way out.
    """
    found = json.loads(serves.cluster.run("get", "modelserves", "-A", "-o", "json"))["items"]
    covered = [each for each in found if each["metadata"]["namespace"].startswith("e2e-")]
    using = [each for each in found if each["spec"].get("modelName") == MODEL]
    return len(covered), len(using)
