"""What holds for every test."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.scheduling import ByFile

pytest_plugins = ["tests.support.faults_table"]

# A shared machine may stall at any example: how long one takes says nothing of the code.
settings.register_profile("roadstead", deadline=None)
# What `make check` runs before each commit; `make test` tries five times as many.
settings.register_profile("few-examples", deadline=None, max_examples=20)
settings.load_profile("roadstead")


def pytest_addoption(parser: pytest.Parser) -> None:
    """A run on the cluster may be two: what shares it, then what needs it for itself."""
    group = parser.getgroup("cluster")
    group.addoption("--cluster-part", choices=("shared", "alone"), help="run only these files")
    group.addoption(
        "--cluster-run", type=Path, help="a folder for what such runs note; the cluster stays up"
    )


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    """How several processes share the tests."""
    return ByFile(config, log)
