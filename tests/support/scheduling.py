"""Distributes the tests among several processes (pytest-xdist).

Each process runs whole files, one folder after the other: the servers of a folder start in each
process that enters it, and stop when it leaves. Files that need the release, the node or the audit
log exclusively run in one process and last: `ALONE` lists them in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import Final

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has no stubs
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]  # it has no stubs

CLUSTER: Final = "tests/e2e/"
ALONE: Final = (
    "test_console.py",
    "test_hostile_server.py",
    "test_admission.py",
    "test_kills.py",
    "test_ledger.py",
    "test_outages.py",
    "test_rollouts.py",
    "test_routes.py",
    "test_exposed_paths.py",
    "test_nodes_and_rights.py",
    "test_transfer_jobs.py",
    "test_usage.py",
    "test_rights.py",
    "test_default_gateway.py",
    "test_restore.py",
    "test_upgrade.py",
    "test_removal.py",
)
"""They restart, starve or remove parts of the release, or change its values; Chromium aborts its
requests (ERR_NETWORK_CHANGED) when pods of other tests start or stop. The test of rights evaluates
the requests of all other tests; the last two remove the release."""

LONG: Final = (
    "test_certificates.py",
    "test_operator_replicas.py",
    "test_operator_transfers.py",
    "test_release.py",
    "test_review_paths.py",
)
"""Files with few tests that take minutes. They are the first of their folders: the last file of all
runs alone. The others start by their number of tests."""

_ALONE_UNIT: Final = "alone"


def is_alone(nodeid: str) -> bool:
    """Whether the test's file needs the cluster exclusively."""
    return nodeid.startswith(CLUSTER) and _name(nodeid) in ALONE


def place(nodeid: str) -> int:
    """Sort key of the file among those of the cluster: first those that share it."""
    return ALONE.index(_name(nodeid)) if is_alone(nodeid) else -1


def choose_file(waiting: Mapping[str, int], last: str, others: Collection[str]) -> str:
    """The next file of a process, from the number of tests of each waiting one.

    `last` is the file that the process got before, "" at first; `others` are those of the other
    processes. It stays in its folder, then goes to a folder that has few other processes, is near,
    and has many tests.
    """
    mine = _folder(last)
    crowds = Counter(_folder(each) for each in others)
    sizes: Counter[str] = Counter()
    for file, tests in waiting.items():
        sizes[_folder(file)] += tests

    def order(file: str) -> tuple[bool, bool, int, int, int, bool]:
        there = _folder(file)
        near = len(
            {PurePath(there), *PurePath(there).parents} & {PurePath(mine), *PurePath(mine).parents}
        )
        distance = there != mine, crowds[there], -near, -sizes[there]
        return file == _ALONE_UNIT, *distance, _name(file) not in LONG

    return min(waiting, key=order)


def _folder(file: str) -> str:
    return str(PurePath(file).parent)


def _name(nodeid: str) -> str:
    return PurePath(nodeid.partition("::")[0]).name


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # so that its class is Any
    """Processes take whole files; one takes all files that need the cluster exclusively."""

    def _split_scope(self, nodeid: str) -> str:
        return _ALONE_UNIT if is_alone(nodeid) else nodeid.partition("::")[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        latest = {each: next(reversed(units), "") for each, units in self.assigned_work.items()}
        waiting = {file: len(tests) for file, tests in self.workqueue.items()}
        last = latest.pop(node, "")
        chosen = choose_file(waiting, last, [each for each in latest.values() if each])
        self.workqueue.move_to_end(chosen, last=False)
        super()._assign_work_unit(node)
