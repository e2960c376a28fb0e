"""The cluster that the environment selects."""

from pathlib import Path

import pytest

from dev.cluster.target import current
from dev.errors import DevError


def test_local_cluster_is_the_default() -> None:
    assert current({"KUBECONFIG": "/somebody/elses"}) is None


def test_current_cluster_is_that_of_the_kubeconfig(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.touch()
    assert current({"DEMO_CLUSTER": "current", "KUBECONFIG": str(config)}) == config


@pytest.mark.parametrize("path", ["", "/no/such/file"])
def test_current_cluster_without_a_kubeconfig_is_an_error(path: str) -> None:
    with pytest.raises(DevError, match="KUBECONFIG"):
        current({"DEMO_CLUSTER": "current", "KUBECONFIG": path})


def test_unknown_demo_cluster_is_an_error() -> None:
    with pytest.raises(DevError, match="current"):
        current({"DEMO_CLUSTER": "kind"})
