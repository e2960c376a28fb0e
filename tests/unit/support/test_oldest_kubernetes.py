"""Which API server a run of tests is for, and the failures that are expected of the oldest."""

from __future__ import annotations

import ast

import pytest

from dev.versions import GO_PROGRAMS, OLDEST_KUBERNETES
from tests.support.charts import CHECKOUT
from tests.support.oldest_kubernetes import API_SERVERS, TOO_NEW


def test_every_choice_is_a_program_and_the_oldest_has_the_oldest_version() -> None:
    versions = {choice: GO_PROGRAMS[name].version for choice, name in API_SERVERS.items()}
    assert versions["oldest"] == OLDEST_KUBERNETES != versions["current"]


def test_this_run_is_for_the_current_version(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getoption("--kubernetes") == "current"


def test_only_tests_that_exist_are_listed_as_too_new() -> None:
    for nodeid in TOO_NEW:
        file, _, name = nodeid.partition("::")
        tree = ast.parse((CHECKOUT / file).read_text())
        found = (ast.FunctionDef, ast.AsyncFunctionDef)
        assert name in {each.name for each in tree.body if isinstance(each, found)}, nodeid
