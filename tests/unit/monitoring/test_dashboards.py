"""The dashboards as files: what holds for each of them and every panel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.checks.metrics import Metric, metrics
from tests.support.dashboards import CHECKOUT, FILES, load, panels, queries

RULES = yaml.safe_load((CHECKOUT / "chart" / "files" / "rules.yaml").read_text())
SOURCES = {"DS_PROMETHEUS": "prometheus", "DS_POSTGRES": "grafana-postgresql-datasource"}
PANELS = [
    pytest.param(panel, id=f"{path.stem}: {panel['title']}")
    for path in FILES
    for panel in panels(load(path))
]
EXPRESSIONS = [
    *(pytest.param(query.text, id=query.where) for query in queries() if not query.sql),
    *(
        pytest.param(rule["expr"], id=rule["alert"])
        for group in RULES["groups"]
        for rule in group["rules"]
    ),
]


def series(metric: Metric) -> set[str]:
    """The names that an expression can use."""
    if metric.type != "histogram":
        return {metric.name}
    return {f"{metric.name}_{suffix}" for suffix in ("bucket", "sum", "count")}


KNOWN = {name for metric in metrics() for name in series(metric)}


def test_identifiers_are_of_one_dashboard_each_and_stay() -> None:
    assert [load(path)["uid"] for path in FILES] == [
        "roadstead-contracts",
        "roadstead-models",
        "roadstead",
        "roadstead-servers",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dashboard_can_be_given_any_data_source(path: Path) -> None:
    variables = load(path)["templating"]["list"]
    chosen = {each["name"]: each["query"] for each in variables if each["type"] == "datasource"}
    assert chosen
    assert chosen.items() <= SOURCES.items()
    used = set(re.findall(r"\$\{(DS_[A-Z]+)\}", path.read_text()))
    assert used == set(chosen)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dashboard_is_not_bound_to_the_grafana_that_it_came_from(path: Path) -> None:
    dashboard = load(path)
    assert "id" not in dashboard
    assert "iteration" not in dashboard
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_the_source_that_was_chosen(panel: Any) -> None:
    for asked in (panel, *panel["targets"]):
        source = asked["datasource"]
        assert SOURCES[source["uid"].strip("${}")] == source["type"]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_names_metrics_that_there_are(text: str) -> None:
    assert set(re.findall(r"\broadstead_[a-z_]+", text)) <= KNOWN


def test_a_row_of_the_servers_opens_its_address_at_the_gateway() -> None:
    (path,) = (path for path in FILES if path.stem == "servers")
    (table,) = (panel for panel in panels(load(path)) if panel["title"] == "Servers")
    link = table["fieldConfig"]["defaults"]["links"][0]
    assert link["url"] == "${__data.fields.gateway_url}"
    assert "AS server_uuid" in table["targets"][0]["rawSql"]
