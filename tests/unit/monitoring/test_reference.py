"""The list of metrics for the reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.checks.metrics import Metric, metrics

METRICS = metrics()


def test_metric_names_are_unique() -> None:
    names = [each.name for each in METRICS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("metric", METRICS, ids=lambda each: each.name)
def test_metric_has_prefix_and_help_sentence(metric: Metric) -> None:
    assert metric.name.startswith("roadstead_")
    assert metric.help[0].isupper()
    assert metric.help.endswith(".")


def test_metrics_of_every_constructor_are_found(tmp_path: Path) -> None:
    (tmp_path / "roadstead").mkdir()
    (tmp_path / "roadstead" / "metrics.py").write_text(
        "from prometheus_client import Counter, Gauge, core\n"
        'A = Counter("roadstead_a", "A.", ["kind"])\n'
        'B = Gauge(name="roadstead_b_bytes", documentation="B.", labelnames=("x", "y"))\n'
        'C = core.GaugeMetricFamily("roadstead_c", "C.", labels=["z"])\n'
    )
    found = [(each.name, each.type, each.labels, each.unit) for each in metrics([tmp_path])]
    assert found == [
        ("roadstead_a_total", "counter", ("kind",), ""),
        ("roadstead_b_bytes", "gauge", ("x", "y"), "bytes"),
        ("roadstead_c", "gauge", ("z",), ""),
    ]
