"""The form that creates a server, compared with the definition of a ModelServe."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any, Final

import pytest
import yaml

from roadstead.assets import asset_root

_CONSOLE: Final = files("roadstead.console")
_NUMBERS: Final = re.compile(r'<input type="number" name="(\w+)"[^>]*? min="(\d+)" max="(\d+)"')
PARAMETERS: Final = [
    "contextSize",
    "parallel",
    "threads",
    "contextCheckpoints",
    "cacheRamMiB",
    "gpuLayers",
]


@pytest.fixture(scope="module")
def properties() -> dict[str, Any]:
    """The fields of `spec.runtimeParams`."""
    crd = yaml.safe_load((asset_root() / "crds/model.example.com_modelserves.yaml").read_text())
    (version,) = crd["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    found: dict[str, Any] = spec["properties"]["runtimeParams"]["properties"]
    return found


@pytest.mark.parametrize("name", PARAMETERS)
def test_number_of_the_form_has_the_bounds_of_its_field(
    properties: dict[str, Any], name: str
) -> None:
    form = _CONSOLE.joinpath("templates/serve.html").read_text()
    inputs = {field: (int(low), int(high)) for field, low, high in _NUMBERS.findall(form)}
    assert inputs[name] == (properties[name]["minimum"], properties[name]["maximum"])


def test_numbers_of_the_form_are_sent() -> None:
    script = _CONSOLE.joinpath("static/serve.js").read_text()
    (sent,) = re.findall(r"^const COUNTS = \[(.*)\];$", script, re.MULTILINE)
    assert [name.strip('" ') for name in sent.split(",")] == PARAMETERS
