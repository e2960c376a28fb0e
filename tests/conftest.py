"""Options and settings of all tests."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.scheduling import ByFile

pytest_plugins = [
    "tests.support.faults_table",
    "tests.support.cpu_report",
    "tests.support.oldest_kubernetes",
]

# A shared machine may stall during any example, so its duration does not depend on the code alone.
settings.register_profile("roadstead", deadline=None)
# `make check` runs these before each commit; `make test` runs five times as many.
settings.register_profile("few-examples", deadline=None, max_examples=20)
settings.load_profile("roadstead")


def pytest_addoption(parser: pytest.Parser) -> None:
    """A run on the cluster may be two: tests that share it, then those that need it exclusively."""
    group = parser.getgroup("cluster")
    group.addoption("--cluster-part", choices=("shared", "alone"), help="run only these files")
    group.addoption(
        "--cluster-run", type=Path, help="folder for the state of such runs; the cluster stays up"
    )


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    """Distribute the tests among several processes."""
    return ByFile(config, log)
