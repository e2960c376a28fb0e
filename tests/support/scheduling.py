"""How several processes share the tests (pytest-xdist).

Each process takes whole files in turn. Files that take the release, the node or the audit log for
themselves are one piece of work, the last one: `alone` lists them in their order.
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
    "test_upgrade.py",
    "test_removal.py",
)
"""They restart, starve or remove parts of the release, or change its values; Chromium gives up its
requests (ERR_NETWORK_CHANGED) when pods of other tests come and go. The rights are judged by what
all the others did; the last two take the release away."""


def is_alone(nodeid: str) -> bool:
    """Whether the test's file needs the cluster for itself."""
    return nodeid.startswith(CLUSTER) and _name(nodeid) in ALONE


def place(nodeid: str) -> int:
    """Where the file comes among those of the cluster: first those that share it, in any order."""
    return ALONE.index(_name(nodeid)) if is_alone(nodeid) else -1


def _name(nodeid: str) -> str:
    return PurePath(nodeid.partition("::")[0]).name


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # so that its class is Any
    """Each takes whole files in turn; one of them all that need the cluster for themselves."""

    def _split_scope(self, nodeid: str) -> str:
        return "alone" if is_alone(nodeid) else nodeid.partition("::")[0]
