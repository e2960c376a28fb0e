"""The chart's CustomResourceDefinitions are those of crds/."""

from __future__ import annotations

import pytest
import yaml

from tests.support.charts import CHART, CHECKOUT, EVERYTHING, NO_GATEWAY, Chart, Rendered, Values

KEPT = {
    "argocd.argoproj.io/sync-options": "Prune=false",
    "helm.sh/resource-policy": "keep",
}
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
    definition["metadata"]["annotations"] = KEPT
    assert rendered == definition


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_argo_cd_prunes_nothing_that_helm_keeps(chart: Chart, values: Values) -> None:
    annotations = [each["metadata"].get("annotations", {}) for each in chart.render(values).objects]
    kept = [each for each in annotations if "helm.sh/resource-policy" in each]
    assert len(kept) > len(CRDS)
    assert all(each.items() >= KEPT.items() for each in kept)


def test_definitions_can_be_disabled(chart: Chart) -> None:
    rendered = chart.render({"crds": {"enabled": False}, **NO_GATEWAY})
    assert not rendered.of("CustomResourceDefinition")
    assert rendered.of("Deployment")
