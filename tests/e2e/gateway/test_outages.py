"""Without forward auth nobody comes in."""

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
def forward_auth_is_gone(cluster: Cluster, status_of: Callable[..., int]) -> Iterator[None]:
    """No replica, until the test is over."""
    assert status_of() == 200
    cluster.run("-n", NAMESPACE, "scale", FORWARD_AUTH, "--replicas=0")
    gone = ("wait", "--for=delete", "pod", "--timeout=120s", "-l")
    cluster.run("-n", NAMESPACE, *gone, "app.kubernetes.io/component=forward-auth")
    yield
    scale_back(cluster)


def scale_back(cluster: Cluster) -> None:
    """As the chart has it."""
    cluster.run("-n", NAMESPACE, "scale", FORWARD_AUTH, "--replicas=2")
    cluster.run("-n", NAMESPACE, "rollout", "status", FORWARD_AUTH, "--timeout=120s")


@pytest.mark.timeout(600)
def test_without_forward_auth_nobody_passes_and_with_it_everything_is_as_before(
    cluster: Cluster,
    forward_auth_is_gone: None,
    status_of: Callable[..., int],
) -> None:
    # Each may take half a minute: the kernel sends refusals to one address once a second at most.
    with ThreadPoolExecutor() as callers:
        asked = [callers.submit(status_of, **caller) for caller in (SIGNED_IN, NOBODY) * 2]
    assert [each.result() in SERVER_FAULTS for each in asked] == [True] * 4
    scale_back(cluster)
    wait_until(lambda: status_of() == 200, seconds=120)
    assert status_of(token="") == 401
