"""Evaluates a whole run: these tests are last, except for those that remove the release.

They are deselected in a partial run. One without some test, by a path, an expression or after a
failure, does not use all rights. Tests marked `long` are not required.
"""

import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from dev.demo.kubectl import Cluster
from tests.e2e.rights.beginnings import repeat_first_start
from tests.support.scheduling import is_alone

HERE = Path(__file__).parent
ALL = set(HERE.parent.rglob("test_*.py"))


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Deselect this folder's tests unless all others are run."""
    found = list(items)
    yield
    if not _is_complete(found, set(items), config):
        mine = [item for item in items if HERE in item.path.parents]
        items[:] = [item for item in items if item not in mine]
        config.hook.pytest_deselected(items=mine)


def _is_complete(found: list[pytest.Item], kept: set[pytest.Item], config: pytest.Config) -> bool:
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
def first_start_repeated(cluster: Cluster) -> None:
    """All components have done what they do at their first start."""
    repeat_first_start(cluster, _until)


def _until(question: Callable[[], object]) -> None:
    deadline = time.monotonic() + 180
    while not question():
        assert time.monotonic() < deadline, f"still not: {question.__doc__}"
        time.sleep(0.5)
