"""The dashboards match Grafana's schema."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dev import binaries
from tests.support.dashboards import FILES, load, panels


@pytest.fixture(scope="session")
def dashcheck() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that checks files against the schema."""
    program = binaries.ensure("dashcheck")["dashcheck"]

    def check(*files: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *files], capture_output=True, text=True)

    return check


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dashboard_matches_schema(
    dashcheck: Callable[..., subprocess.CompletedProcess[str]], path: Path
) -> None:
    done = dashcheck(path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda panel: panel.update(titel="x"), id="panel"),
        pytest.param(lambda panel: panel["options"].update(showHeadre=True), id="options"),
        pytest.param(lambda panel: panel["targets"][0].update(exprr="x"), id="query"),
        pytest.param(lambda panel: panel["fieldConfig"]["defaults"].update(unitt="s"), id="field"),
    ],
)
def test_unknown_field_is_refused(
    dashcheck: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    spoil: Callable[[Any], None],
) -> None:
    dashboard = load(FILES[2])
    spoil(next(panels(dashboard)))
    file = tmp_path / "spoilt.json"
    file.write_text(json.dumps(dashboard))
    assert dashcheck(file).returncode == 1
