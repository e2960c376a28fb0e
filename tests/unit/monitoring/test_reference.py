"""The metrics that the reference lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.checks.metrics import Metric, metrics

METRICS = metrics()


def test_no_two_metrics_have_one_name() -> None:
    names = [each.name for each in METRICS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("metric", METRICS, ids=lambda each: each.name)
def test_metric_is_ours_by_its_name_and_told_in_a_sentence(metric: Metric) -> None:
    assert metric.name.startswith("roadstead_")
    assert metric.help[0].isupper()
    assert metric.help.endswith(".")


def test_every_way_to_make_a_metric_is_found(tmp_path: Path) -> None:
    (tmp_path / "roadstead").mkdir()
    (tmp_path / "roadstead" / "metrics.py").write_text(
        "from prometheus_client import Counter, Gauge, core\n"
        'A = Counter("roadstead_a", "A.", ["kind"])\n'
        'B = Gauge(name="roadstead_b_bytes", documentation="B.", labelnames=("x", "y"))\n'
        'C = core.GaugeMetricFamily("roadstead_c", "C.", labels=["z"])\n'
    )
    told = [(each.name, each.type, each.labels, each.unit) for each in metrics([tmp_path])]
    assert told == [
        ("roadstead_a_total", "counter", ("kind",), ""),
        ("roadstead_b_bytes", "gauge", ("x", "y"), "bytes"),
        ("roadstead_c", "gauge", ("z",), ""),
    ]
