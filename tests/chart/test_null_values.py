"""A value that is null, such as a section whose lines are all commented out, has its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests.support.charts import CHART, EVERYTHING, Chart, ChartRefused, Object, Rendered, Values

DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
TEMPLATES = sorted(path for path in (CHART / "templates").rglob("[!_]*") if path.is_file())
WHOLE = ("resources",)
"""Maps in which null deletes an entry."""


def nulls(values: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """Every value and section at a depth as null, in the sections above it."""
    if depth == 1:
        return dict.fromkeys(values)
    return {
        name: nulls(value, depth - 1)
        for name, value in values.items()
        if isinstance(value, dict) and name not in WHOLE
    }


def height(values: Any) -> int:
    """The depth of the deepest value."""
    if not isinstance(values, dict) or not values:
        return 0
    return 1 + max(0 if name in WHOLE else height(each) for name, each in values.items())


def comparable(rendered: Rendered) -> list[Object]:
    """The objects without what is generated: keys, certificates and their dates."""
    return [_without_generated(each) for each in rendered.objects]


def _without_generated(each: Object) -> Object:
    meta = each["metadata"]
    if each["kind"] != "Secret" and not meta["name"].endswith("-gateway-ca"):
        return each
    dates = {"model.example.com/certificate-issued"}
    notes = {key: text for key, text in meta.get("annotations", {}).items() if key not in dates}
    kept = {name: part for name, part in each.items() if name != "data"}
    return {**kept, "metadata": {**meta, "annotations": notes}}


@pytest.mark.parametrize("depth", range(1, height(DEFAULTS) + 1))
def test_null_has_the_meaning_of_the_default(chart: Chart, defaults: Rendered, depth: int) -> None:
    # All values of a depth at once: each is filled in without regard to the others.
    values = nulls(DEFAULTS, depth)
    if depth == 2:
        del values["images"]["roadstead"]
    if depth == 1:
        del values["images"]
    assert comparable(chart.render(values)) == comparable(defaults)


def test_null_beside_other_values_changes_none_of_them(chart: Chart) -> None:
    values = {**EVERYTHING, "source": {"allow": None}, "operator": {"logs": None, "replicas": 3}}
    without = {**EVERYTHING, "source": {}, "operator": {"replicas": 3}}
    assert comparable(chart.render(values)) == comparable(chart.render(without))


def test_null_deletes_an_entry_of_resources(chart: Chart) -> None:
    values: Values = {"operator": {"resources": {"requests": {"cpu": None}}}}
    pod = chart.render(values).one("Deployment", "roadstead-operator")["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["requests"] == {"memory": "256Mi"}


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"source": {"allow": [None]}}, id="item"),
        pytest.param({"operator": {"podLabels": {"team": None}}}, id="entry-of-a-map"),
        pytest.param({"tokens": {"issuers": [{"issuer": "a", "audience": None}]}}, id="field"),
    ],
)
def test_null_without_a_default_is_refused(chart: Chart, values: Values) -> None:
    with pytest.raises(ChartRefused, match="values don't meet the specifications of the schema"):
        chart.render(values)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_template_fills_in_the_defaults_first(template: Any) -> None:
    assert template.read_text().startswith('{{- include "roadstead.values" . ')
