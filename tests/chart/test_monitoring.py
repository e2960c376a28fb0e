"""The objects for Prometheus and Grafana in the chart."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.support.charts import CHART, CHECKOUT, EVERYTHING, Chart, ChartRefused, Rendered, Values

KINDS = ("PodMonitor", "PrometheusRule")
DASHBOARDS = sorted((CHECKOUT / "dashboards").glob("*.json"))
RULES = CHART / "files" / "rules.yaml"


@pytest.fixture(scope="module")
def everything(chart: Chart) -> Rendered:
    return chart.render(EVERYTHING)


def alerts(rules: Any) -> list[dict[str, Any]]:
    return [rule for group in rules["groups"] for rule in group["rules"]]


def test_monitoring_is_disabled_by_default(defaults: Rendered) -> None:
    assert not [each for kind in KINDS for each in defaults.of(kind)]
    assert not [
        each for each in defaults.of("ConfigMap") if "dashboard" in each["metadata"]["name"]
    ]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        pytest.param({"monitoring": {"podMonitor": {"enabled": True}}}, "PodMonitor", id="pods"),
        pytest.param({"monitoring": {"rules": {"enabled": True}}}, "PrometheusRule", id="rules"),
    ],
)
def test_monitoring_without_the_prometheus_operator_fails_with_advice(
    chart: Chart, values: Values, kind: str
) -> None:
    with pytest.raises(
        ChartRefused, match=f"the cluster has no kind {kind}: install the Prometheus"
    ):
        chart.render(values, apis=())


def test_every_pod_with_metrics_is_scraped_at_an_existing_port(everything: Rendered) -> None:
    monitor = everything.one("PodMonitor", "roadstead")["spec"]
    (wanted,) = monitor["selector"]["matchExpressions"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    scraped = set()
    for deployment in everything.of("Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        if labels[wanted["key"]] in wanted["values"]:
            assert monitor["selector"]["matchLabels"].items() <= labels.items()
            assert endpoint["port"] in {port["name"] for port in container["ports"]}
            scraped.add(labels[wanted["key"]])
    assert scraped == set(wanted["values"])


def test_series_keep_their_namespace_label(everything: Rendered) -> None:
    (endpoint,) = everything.one("PodMonitor", "roadstead")["spec"]["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True


@pytest.mark.parametrize("kind", KINDS)
def test_objects_have_the_labels_that_prometheus_selects_by(
    everything: Rendered, kind: str
) -> None:
    assert everything.one(kind, "roadstead")["metadata"]["labels"]["release"] == "prometheus"


def test_rules_are_those_of_the_file_with_runbook_urls(
    everything: Rendered,
) -> None:
    rendered = everything.one("PrometheusRule", "roadstead")["spec"]
    for alert in alerts(rendered):
        address = f"https://docs.example.com/runbooks/{alert['alert']}.md"
        assert alert["annotations"].pop("runbook_url") == address
    expected = yaml.safe_load(RULES.read_text())
    for alert in alerts(expected):
        del alert["annotations"]["runbook_url"]
    assert rendered == expected


def test_without_a_runbook_url_rules_are_those_of_the_file(chart: Chart) -> None:
    rendered = chart.render({"monitoring": {"rules": {"enabled": True}}})
    spec = rendered.one("PrometheusRule", "roadstead")["spec"]
    assert spec == yaml.safe_load(RULES.read_text())


def test_chart_has_exactly_the_dashboards() -> None:
    present = sorted(path.name for path in (CHART / "files" / "dashboards").iterdir())
    assert present == [path.name for path in DASHBOARDS]


@pytest.mark.parametrize("name", [path.name for path in DASHBOARDS])
def test_dashboard_in_the_chart_is_the_same_file(name: str) -> None:
    copy = (CHART / "files" / "dashboards" / name).read_bytes()
    original = (CHECKOUT / "dashboards" / name).read_bytes()
    assert copy == original, f"cp dashboards/{name} chart/files/dashboards/"


@pytest.mark.parametrize("name", [path.name for path in DASHBOARDS])
def test_dashboard_is_in_its_configmap_unchanged(everything: Rendered, name: str) -> None:
    stem = name.removesuffix(".json")
    found = everything.one("ConfigMap", f"roadstead-dashboard-{stem}")
    assert json.loads(found["data"][name]) == json.loads(
        (CHECKOUT / "dashboards" / name).read_text()
    )
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["annotations"] == {"grafana_folder": "Roadstead"}


def test_dashboards_have_the_label_and_folder_of_the_sidecar(chart: Chart) -> None:
    dashboards = {
        "enabled": True,
        "label": {"name": "dashboards", "value": "yes"},
        "folder": {"name": ""},
    }
    rendered = chart.render({"monitoring": {"dashboards": dashboards}})
    metadata = rendered.one("ConfigMap", "roadstead-dashboard-servers")["metadata"]
    assert metadata["labels"]["dashboards"] == "yes"
    assert "annotations" not in metadata
