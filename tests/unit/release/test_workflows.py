"""Workflows call the targets that people call."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]
WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_each_target_of_a_workflow_exists(workflow: Path) -> None:
    called = {
        target
        for step in steps(workflow)
        for target in re.findall(r"^make ([a-z-]+)$", step.get("run", ""), re.MULTILINE)
    }
    assert called
    assert called <= TARGETS


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_has_only_the_rights_that_it_names(workflow: Path) -> None:
    assert "permissions" in yaml.safe_load(workflow.read_text())
