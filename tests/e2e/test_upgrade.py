"""Upgrade from the previous version and rollback, with a running server and transfer."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dev.demo import admission, source
from dev.demo.kubectl import Cluster
from dev.images import previous
from dev.images.previous import CHECKOUT, Version
from tests.e2e import releases
from tests.e2e.leader import leader_uid
from tests.e2e.node_processes import stopped
from tests.e2e.repeating import Repeatedly
from tests.e2e.serves import Serves, make_serve, model_condition
from tests.e2e.transfers import (
    CONNECTIONS,
    PART_BYTES,
    PATIENCE,
    apply_model,
    progress_of,
    resumed_bytes,
    wait_for_progress,
)
from tests.support.faults_table import Healing
from tests.support.waiting import wait_until

pytestmark = pytest.mark.fault(
    "R19", heals="nothing is lost: servers keep running, transfers resume"
)

MODEL = "moved-on"
ROLLED_OUT = "all servers roll out"
"""Words in the changelog of a version that replaces the servers' pods."""

Pods = list[tuple[str, int]]
"""UID and restarts of each of the server's pods."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Journey:
    """State before, after the upgrade, and after the rollback."""

    version: Version
    pods: tuple[Pods, Pods, Pods]
    """Before, after the upgrade, and after the rollback."""
    admitted: tuple[Repeatedly, Repeatedly]
    leaders: tuple[str, str, str]
    begun: Mapping[str, Any]
    continued: Mapping[str, Any]
    """`status.transfer` before the upgrade and with the new operator."""
    resumed: int
    """Bytes that the new operator found in the store."""


@pytest.fixture(scope="module")
def version(cluster: Cluster) -> Iterator[Version]:
    """The previous version, newly installed; this version is installed again afterwards."""
    found = previous.ensure()
    releases.uninstall(cluster)
    releases.reinstall(cluster, found)
    yield found
    releases.reinstall(cluster)


@pytest.fixture(scope="module")
def serves(cluster: Cluster, version: Version) -> Iterator[Serves]:
    """A namespace with a ready server."""
    name = f"e2e-{secrets.token_hex(3)}"
    cluster.run("create", "namespace", name)
    found = Serves(cluster=cluster, namespace=name)
    found.apply(make_serve())
    found.until_ready()
    yield found
    cluster.run("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def journey(
    cluster: Cluster,
    version: Version,
    serves: Serves,
    big_model: str,
) -> Iterator[Journey]:
    """Upgrade during a transfer whose source hangs, wait until it completes, and roll back."""
    source_pod = source_uid(cluster)
    pods, leaders = [pods_of(serves)], [leader_uid(cluster)]
    apply_model(cluster, MODEL, big_model)
    begun = wait_for_progress(cluster, MODEL)
    with stopped(source_pod), Repeatedly(serves.dry_run) as upgrading:
        releases.upgrade(cluster)
        pods.append(pods_of(serves))
        leaders.append(leader_uid(cluster, than=leaders))
        # Parts that were not complete no longer count.
        continued = progress_of(cluster, MODEL, at_least=1)
    wait_until(lambda: is_verified(cluster), seconds=PATIENCE)
    resumed = resumed_bytes(cluster)
    with Repeatedly(serves.dry_run) as rolling_back:
        releases.rollback(cluster)
        pods.append(pods_of(serves))
        leaders.append(leader_uid(cluster, than=leaders))
    yield Journey(
        version=version,
        pods=(pods[0], pods[1], pods[2]),
        admitted=(upgrading, rolling_back),
        leaders=(leaders[0], leaders[1], leaders[2]),
        begun=begun,
        continued=continued,
        resumed=resumed,
    )
    admin = admission.token(cluster, "admin", admission.ADMINS)
    admission.delete_model(cluster, MODEL, admin, "--timeout=120s")


def test_server_pods_are_not_replaced_unless_the_changelog_announces_it(journey: Journey) -> None:
    assert journey.pods == (journey.pods[0],) * 3 or rolls_out(journey.version), journey.version


def test_every_admission_is_answered_during_upgrade_and_rollback(journey: Journey) -> None:
    there, back = journey.admitted
    assert there.failures + back.failures == []
    assert min(there.passed, back.passed) >= 3


def test_new_operator_leads_after_upgrade_and_rollback(journey: Journey) -> None:
    assert len(set(journey.leaders)) == 3


def test_transfer_resumes_with_its_uploaded_parts(journey: Journey) -> None:
    assert journey.continued["uploadId"] == journey.begun["uploadId"]
    assert journey.resumed >= journey.begun["bytesDone"] - CONNECTIONS * PART_BYTES


def test_new_server_is_reconciled_after_a_rollback(
    journey: Journey, serves: Serves, healing: Healing
) -> None:
    with healing():
        serves.apply(make_serve("second", replicas=0))
        serves.until("second", "WorkloadReady", "ScaledToZero")


def pods_of(serves: Serves) -> Pods:
    """The server's pods and the restarts of their containers."""
    return sorted(
        (pod["metadata"]["uid"], sum(each["restartCount"] for each in containers_of(pod)))
        for pod in serves.pods()
    )


def containers_of(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    status = pod["status"]
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def source_uid(cluster: Cluster) -> str:
    """UID of the pod of the source's store."""
    pods = ("-n", source.SOURCE_NAMESPACE, "get", "pods", "-l", "app=source-store", "-o", "json")
    found = json.loads(cluster.run(*pods))["items"]
    (pod,) = (each for each in found if "deletionTimestamp" not in each["metadata"])
    return str(pod["metadata"]["uid"])


def is_verified(cluster: Cluster) -> bool:
    """Whether the object in the store has the right digest."""
    return model_condition(cluster, MODEL, "Verified").get("status") == "True"


def rolls_out(version: Version) -> bool:
    """Whether the changelog since that version announces that servers get new pods."""
    before, now = (
        set((folder / "CHANGELOG.md").read_text().splitlines())
        for folder in (version.checkout, CHECKOUT)
    )
    return any(ROLLED_OUT in line for line in now - before)
