"""What only a whole run can tell: it comes last, but for what takes the release away.

It is left out where anything else was.

A run that leaves out a test, by a path, an expression or after a failure, has used less than what
is needed. Tests marked `long` are no part of it.
"""

import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from dev.demo.kubectl import Cluster
from tests.e2e.rights.beginnings import begin_anew
from tests.support.scheduling import is_alone

HERE = Path(__file__).parent
ALL = set(HERE.parent.rglob("test_*.py"))


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Leave this folder's tests out unless everything else is run."""
    found = list(items)
    yield
    if not _is_whole(found, set(items), config):
        mine = [item for item in items if HERE in item.path.parents]
        items[:] = [item for item in items if item not in mine]
        config.hook.pytest_deselected(items=mine)


def _is_whole(found: list[pytest.Item], kept: set[pytest.Item], config: pytest.Config) -> bool:
    """With `--cluster-part alone`, the other part was run before."""
    left_out = [item for item in found if item.path in ALL and item not in kept]
    before = config.getoption("--cluster-part") == "alone" and config.getoption("--cluster-run")
    return (
        {item.path for item in found} >= ALL
        and all(
            item.get_closest_marker("long") or (before and not is_alone(item.nodeid))
            for item in left_out
        )
        and not any("::" in argument for argument in config.args)
    )


@pytest.fixture(scope="module")
def begun_anew(cluster: Cluster) -> None:
    """All parts have been through what they do at their first start."""
    begin_anew(cluster, _until)


def _until(question: Callable[[], object]) -> None:
    deadline = time.monotonic() + 180
    while not question():
        assert time.monotonic() < deadline, f"still not: {question.__doc__}"
        time.sleep(0.5)
