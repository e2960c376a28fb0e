"""A real API server for the session, with Roadstead's CRDs installed."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.servers.apiserver import ApiServer
from tests.support.apiserver import (
    PROGRAMS,
    api,
    apiserver,
    binaries,
    build_before_timers,
    namespace,
)

__all__ = ["api", "apiserver", "binaries", "namespace"]

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the cache lacks before any test's timer runs: the first time takes minutes."""
    build_before_timers(session, Path(__file__).parent, *PROGRAMS)


@pytest.fixture
def kubeconfig(apiserver: ApiServer) -> Path:
    """An administrator's kubeconfig."""
    return apiserver.kubeconfig


@pytest.fixture
def kubectl(binaries: dict[str, Path], apiserver: ApiServer, tmp_path: Path) -> Kubectl:
    """Runs kubectl as administrator and returns what it printed; `manifest` is its stdin."""

    def run(*arguments: str, manifest: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [binaries["kubectl"], f"--kubeconfig={apiserver.kubeconfig}", *arguments],
            input=manifest,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            # A home of its own: kubectl keeps what it discovers in ~/.kube/cache.
            env={**os.environ, "HOME": str(tmp_path)},
        )

    return run
