"""The chart's objects for the Prometheus operator, on an API server that has its definitions."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from dev import binaries
from dev.servers import monitoring
from tests.apiserver.conftest import Kubectl
from tests.support.charts import EVERYTHING, Chart

KINDS = ("PodMonitor", "PrometheusRule")


@pytest.fixture(scope="module")
def chart() -> Chart:
    return Chart(helm=binaries.ensure("helm")["helm"])


@pytest.fixture
def definitions(kubectl: Kubectl) -> None:
    """Those of monitoring.coreos.com, established."""
    files = [part for path in monitoring.crd_files() for part in ("-f", str(path))]
    assert kubectl("apply", "--server-side", *files).returncode == 0
    done = kubectl("wait", "--for=condition=Established", "--timeout=60s", *files)
    assert done.returncode == 0, done.stderr


def apply(
    kubectl: Kubectl, namespace: str, objects: list[dict[str, Any]]
) -> subprocess.CompletedProcess[str]:
    """Whatever they name as their namespace, in this one."""
    items = [{**each, "metadata": {**each["metadata"], "namespace": namespace}} for each in objects]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    return kubectl("apply", "--server-side", "--validate=strict", "-f", "-", manifest=listed)


@pytest.mark.usefixtures("definitions")
def test_every_object_is_taken(kubectl: Kubectl, namespace: str, chart: Chart) -> None:
    rendered = chart.render(EVERYTHING)
    done = apply(kubectl, namespace, [each for kind in KINDS for each in rendered.of(kind)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("serverside-applied") == len(KINDS)


@pytest.mark.usefixtures("definitions")
def test_the_dashboards_fit_their_config_maps(
    kubectl: Kubectl, namespace: str, chart: Chart
) -> None:
    maps = [
        each
        for each in chart.render(EVERYTHING).of("ConfigMap")
        if "dashboard" in each["metadata"]["name"]
    ]
    done = apply(kubectl, namespace, maps)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("serverside-applied") == 4


@pytest.mark.usefixtures("definitions")
def test_a_field_that_there_is_not_would_be_found(
    kubectl: Kubectl, namespace: str, chart: Chart
) -> None:
    monitor = chart.render(EVERYTHING).one("PodMonitor", "roadstead")
    monitor["spec"]["podMetricsEndpoints"][0]["honourLabels"] = True
    assert "honourLabels" in apply(kubectl, namespace, [monitor]).stderr
