"""Rules for the files of dashboards and their panels."""

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
    """Return the series names of a metric."""
    if metric.type != "histogram":
        return {metric.name}
    return {f"{metric.name}_{suffix}" for suffix in ("bucket", "sum", "count")}


KNOWN = {name for metric in metrics() for name in series(metric)}


def test_dashboard_uids_are_unique_and_stable() -> None:
    assert [load(path)["uid"] for path in FILES] == [
        "roadstead-contracts",
        "roadstead-models",
        "roadstead",
        "roadstead-servers",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dashboard_accepts_any_data_source(path: Path) -> None:
    variables = load(path)["templating"]["list"]
    chosen = {each["name"]: each["query"] for each in variables if each["type"] == "datasource"}
    assert chosen
    assert chosen.items() <= SOURCES.items()
    used = set(re.findall(r"\$\{(DS_[A-Z]+)\}", path.read_text()))
    assert used == set(chosen)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dashboard_has_no_instance_specific_fields(path: Path) -> None:
    dashboard = load(path)
    assert "id" not in dashboard
    assert "iteration" not in dashboard
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("panel", PANELS)
def test_panel_queries_the_chosen_data_source(panel: Any) -> None:
    for asked in (panel, *panel["targets"]):
        source = asked["datasource"]
        assert SOURCES[source["uid"].strip("${}")] == source["type"]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expression_uses_existing_metrics(text: str) -> None:
    assert set(re.findall(r"\broadstead_[a-z_]+", text)) <= KNOWN


def test_row_of_a_server_links_to_its_address() -> None:
    (path,) = (path for path in FILES if path.stem == "servers")
    (table,) = (panel for panel in panels(load(path)) if panel["title"] == "Servers")
    link = table["fieldConfig"]["defaults"]["links"][0]
    assert link["url"] == "${__data.fields.gateway_url}"
    assert "AS server_uuid" in table["targets"][0]["rawSql"]
