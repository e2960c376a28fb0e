"""From the version before to this one and back, with a server running and a transfer under way."""

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
    bring,
    resumed_bytes,
    transfer_of,
    under_way,
)
from tests.support.faults_table import Healing
from tests.support.waiting import wait_until

pytestmark = pytest.mark.fault(
    "R19", heals="nothing is lost: servers keep running, transfers resume"
)

MODEL = "moved-on"
ROLLED_OUT = "all servers roll out"
"""What the changelog says of a version that gives its servers other pods."""

Pods = list[tuple[str, int]]
"""UID and restarts of each pod of the server."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Journey:
    """What was seen on the way there and back."""

    version: Version
    pods: tuple[Pods, Pods, Pods]
    """Before, after the upgrade, and after the rollback."""
    admitted: tuple[Repeatedly, Repeatedly]
    leaders: tuple[str, str, str]
    begun: Mapping[str, Any]
    continued: Mapping[str, Any]
    """`status.transfer` before the upgrade and with the operator that it brought."""
    resumed: int
    """Bytes that this operator found in the store already."""


@pytest.fixture(scope="module")
def version(cluster: Cluster) -> Iterator[Version]:
    """The version before this one, installed afresh; this one is there again afterwards."""
    found = previous.ensure()
    releases.uninstall(cluster)
    releases.installed(cluster, found)
    yield found
    releases.installed(cluster)


@pytest.fixture(scope="module")
def serves(cluster: Cluster, version: Version) -> Iterator[Serves]:
    """A namespace with a server that is ready."""
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
    """Upgrade in the middle of a transfer whose source hangs, let it end, and go back."""
    source_pod = source_uid(cluster)
    pods, leaders = [pods_of(serves)], [leader_uid(cluster)]
    bring(cluster, MODEL, big_model)
    begun = under_way(cluster, MODEL)
    with stopped(source_pod), Repeatedly(serves.dry_run) as upgrading:
        releases.upgrade(cluster)
        pods.append(pods_of(serves))
        leaders.append(leader_uid(cluster, than=leaders))
        # Parts that were not whole do not count any more.
        continued = transfer_of(cluster, MODEL, at_least=1)
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


def test_no_pod_of_a_server_is_touched_unless_the_changelog_says_so(journey: Journey) -> None:
    assert journey.pods == (journey.pods[0],) * 3 or rolls_out(journey.version), journey.version


def test_every_admission_is_answered_meanwhile(journey: Journey) -> None:
    there, back = journey.admitted
    assert there.failures + back.failures == []
    assert min(there.passed, back.passed) >= 3


def test_another_operator_leads_after_either(journey: Journey) -> None:
    assert len(set(journey.leaders)) == 3


def test_a_transfer_goes_on_with_the_parts_that_it_has(journey: Journey) -> None:
    assert journey.continued["uploadId"] == journey.begun["uploadId"]
    assert journey.resumed >= journey.begun["bytesDone"] - CONNECTIONS * PART_BYTES


def test_what_is_asked_after_a_rollback_is_done(
    journey: Journey, serves: Serves, healing: Healing
) -> None:
    with healing():
        serves.apply(make_serve("second", replicas=0))
        serves.until("second", "WorkloadReady", "ScaledToZero")


def pods_of(serves: Serves) -> Pods:
    """The server's pods, and how often their containers were started again."""
    return sorted(
        (pod["metadata"]["uid"], sum(each["restartCount"] for each in containers_of(pod)))
        for pod in serves.pods()
    )


def containers_of(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    status = pod["status"]
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def source_uid(cluster: Cluster) -> str:
    """The pod of the source's MinIO."""
    pods = ("-n", source.SOURCE_NAMESPACE, "get", "pods", "-l", "app=source-minio", "-o", "json")
    found = json.loads(cluster.run(*pods))["items"]
    (pod,) = (each for each in found if "deletionTimestamp" not in each["metadata"])
    return str(pod["metadata"]["uid"])


def is_verified(cluster: Cluster) -> bool:
    """The digest was right, read back from the store."""
    return model_condition(cluster, MODEL, "Verified").get("status") == "True"


def rolls_out(version: Version) -> bool:
    """Whether the changelog has said since that version that servers get other pods."""
    before, now = (
        set((folder / "CHANGELOG.md").read_text().splitlines())
        for folder in (version.checkout, CHECKOUT)
    )
    return any(ROLLED_OUT in line for line in now - before)
