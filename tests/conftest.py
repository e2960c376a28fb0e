"""What holds for every test."""

import pytest
from hypothesis import settings

from tests.support.scheduling import ByFile

pytest_plugins = ["tests.support.faults_table"]

# A shared machine may stall at any example: how long one takes says nothing of the code.
settings.register_profile("roadstead", deadline=None)
settings.load_profile("roadstead")


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    """How several processes share the tests."""
    return ByFile(config, log)
