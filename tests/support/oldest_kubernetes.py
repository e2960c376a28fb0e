"""Runs of the tests against the oldest supported Kubernetes: `pytest --kubernetes oldest`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

_TOKENS: Final = "tests/apiserver/admission/test_tokens_in_objects.py"
TOO_NEW: Final[Mapping[str, str]] = {
    f"{_TOKENS}::test_applying_twice_with_fresh_tokens_is_no_change": (
        "1.30 stores the time of the second apply in managedFields, though nothing else has changed"
    ),
}
"""Tests that fail on the oldest Kubernetes because of its age alone, by node id without parameters,
with the reason. They run all the same: one that passes is reported as a failure, so that its line
is removed."""

API_SERVERS: Final = {"current": "kube-apiserver", "oldest": "kube-apiserver-oldest"}
"""By the value of `--kubernetes`, the names in dev/versions.py."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--kubernetes`: which API server the tests start."""
    parser.getgroup("cluster").addoption(
        "--kubernetes",
        choices=tuple(API_SERVERS),
        default="current",
        help="the version of the API server that tests start",
    )


def apiserver_of(config: pytest.Config) -> str:
    """Name of the API server's program."""
    return API_SERVERS[config.getoption("--kubernetes")]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Expect the failures of TOO_NEW."""
    if config.getoption("--kubernetes") != "oldest":
        return
    for item in items:
        if reason := TOO_NEW.get(item.nodeid.partition("[")[0]):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
