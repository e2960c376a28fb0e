"""Without forward auth all requests are refused."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from tests.e2e.gateway.test_rollouts import FORWARD_AUTH
from tests.support.waiting import wait_until

SERVER_FAULTS = range(500, 600)
SIGNED_IN: Mapping[str, str] = {}
NOBODY = {"token": ""}


@pytest.fixture
def stopped_forward_auth(cluster: Cluster, status_of: Callable[..., int]) -> Iterator[None]:
    """Scales forward auth to zero until the end of the test."""
    assert status_of() == 200
    cluster.run("-n", NAMESPACE, "scale", FORWARD_AUTH, "--replicas=0")
    gone = ("wait", "--for=delete", "pod", "--timeout=120s", "-l")
    cluster.run("-n", NAMESPACE, *gone, "app.kubernetes.io/component=forward-auth")
    yield
    restore_replicas(cluster)


def restore_replicas(cluster: Cluster) -> None:
    """Restore the replicas of the chart."""
    cluster.run("-n", NAMESPACE, "scale", FORWARD_AUTH, "--replicas=2")
    cluster.run("-n", NAMESPACE, "rollout", "status", FORWARD_AUTH, "--timeout=120s")


@pytest.mark.timeout(600)
def test_all_requests_are_refused_while_forward_auth_is_down(
    cluster: Cluster,
    stopped_forward_auth: None,
    status_of: Callable[..., int],
) -> None:
    # Each may take half a minute: the kernel sends at most one refusal per second and address.
    with ThreadPoolExecutor() as callers:
        asked = [callers.submit(status_of, **caller) for caller in (SIGNED_IN, NOBODY) * 2]
    assert [each.result() in SERVER_FAULTS for each in asked] == [True] * 4
    restore_replicas(cluster)
    wait_until(lambda: status_of() == 200, seconds=120)
    assert status_of(token="") == 401
