"""The chart's CustomResourceDefinitions are those of crds/."""

from __future__ import annotations

import pytest
import yaml

from tests.support.charts import CHART, CHECKOUT, NO_GATEWAY, Chart, Rendered

CRDS = sorted((CHECKOUT / "crds").glob("*.yaml"))


def test_chart_has_exactly_the_definitions_of_crds() -> None:
    present = sorted(path.name for path in (CHART / "files" / "crds").iterdir())
    assert present == [path.name for path in CRDS]


@pytest.mark.parametrize("name", [path.name for path in CRDS])
def test_definition_in_the_chart_is_the_same_file(name: str) -> None:
    copy = (CHART / "files" / "crds" / name).read_bytes()
    assert copy == (CHECKOUT / "crds" / name).read_bytes(), f"cp crds/{name} chart/files/crds/"


@pytest.mark.parametrize("name", [path.name for path in CRDS])
def test_rendering_adds_only_the_annotation_that_keeps_the_definition(
    defaults: Rendered, name: str
) -> None:
    definition = yaml.safe_load((CHECKOUT / "crds" / name).read_text())
    rendered = defaults.one("CustomResourceDefinition", definition["metadata"]["name"])
    definition["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    assert rendered == definition


def test_definitions_can_be_disabled(chart: Chart) -> None:
    rendered = chart.render({"crds": {"enabled": False}, **NO_GATEWAY})
    assert not rendered.of("CustomResourceDefinition")
    assert rendered.of("Deployment")
