"""Distributes the tests among several processes (pytest-xdist).

Each process runs whole files. Files that need the release, the node or the audit log exclusively
run in one process and last: `ALONE` lists them in order.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has no stubs

CLUSTER: Final = "tests/e2e/"
ALONE: Final = (
    "test_console.py",
    "test_hostile_server.py",
    "test_admission.py",
    "test_forged_reviews.py",
    "test_kills.py",
    "test_ledger.py",
    "test_outages.py",
    "test_rollouts.py",
    "test_routes.py",
    "test_nodes_and_rights.py",
    "test_transfer_jobs.py",
    "test_usage.py",
    "test_rights.py",
    "test_default_gateway.py",
    "test_upgrade.py",
    "test_removal.py",
)
"""They restart, starve or remove parts of the release, or change its values; Chromium aborts its
requests (ERR_NETWORK_CHANGED) when pods of other tests start or stop. The test of rights evaluates
the requests of all other tests; the last two remove the release."""


def is_alone(nodeid: str) -> bool:
    """Whether the test's file needs the cluster exclusively."""
    return nodeid.startswith(CLUSTER) and _name(nodeid) in ALONE


def place(nodeid: str) -> int:
    """Sort key of the file among those of the cluster: first those that share it."""
    return ALONE.index(_name(nodeid)) if is_alone(nodeid) else -1


def _name(nodeid: str) -> str:
    return PurePath(nodeid.partition("::")[0]).name


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # so that its class is Any
    """Processes take whole files; one takes all files that need the cluster exclusively."""

    def _split_scope(self, nodeid: str) -> str:
        return "alone" if is_alone(nodeid) else nodeid.partition("::")[0]
