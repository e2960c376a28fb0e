"""What holds for every test."""

from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.faults.table"]

# A shared machine may stall at any example: how long one takes says nothing of the code.
settings.register_profile("roadstead", deadline=None)
settings.load_profile("roadstead")

E2E = Path(__file__).parent / "e2e"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes share the tests, each takes whole files; one, all of the cluster."""
    for item in items:
        group = "cluster" if E2E in item.path.parents else item.location[0]
        item.add_marker(pytest.mark.xdist_group(group))
