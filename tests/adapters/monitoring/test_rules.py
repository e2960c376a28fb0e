"""Each alert fires when it should and not otherwise, as evaluated by Prometheus."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.servers.prometheus import promtool

CHECKOUT = Path(__file__).parents[3]
RULES = CHECKOUT / "chart" / "files" / "rules.yaml"
CASES = yaml.safe_load((Path(__file__).parent / "alerts.yaml").read_text())
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
}


def cases() -> Iterator[Any]:
    """Yield each case of each alert."""
    for alert, both in CASES.items():
        for kind in ("fires", "silent"):
            for case in both[kind]:
                fires = kind == "fires"
                yield pytest.param(alert, case, fires, id=f"{alert}: {case['title']}")


def expected(alert: str, case: dict[str, Any]) -> dict[str, Any]:
    """Return the expected alert, with the labels and annotations of its rule."""
    rule = ALERTS[alert]
    description = {"description": case["description"]}
    return {
        "exp_labels": {**rule["labels"], **case["labels"]},
        "exp_annotations": {**rule["annotations"], **description},
    }


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool(), *map(str, arguments)], capture_output=True, text=True)


def test_promtool_accepts_the_rules() -> None:
    done = run("check", "rules", RULES)
    assert done.returncode == 0, done.stderr


def test_every_alert_has_firing_and_silent_cases() -> None:
    assert CASES.keys() == ALERTS.keys()
    assert all(case["fires"] and case["silent"] for case in CASES.values())


@pytest.mark.parametrize(("alert", "case", "fires"), list(cases()))
def test_alert_fires_only_when_it_should(
    tmp_path: Path, alert: str, case: dict[str, Any], fires: bool
) -> None:
    series = [{"series": name, "values": values} for name, values in case["series"].items()]
    at = {"eval_time": case["at"], "alertname": alert}
    at["exp_alerts"] = [expected(alert, case)] if fires else []
    test = {"interval": "1m", "input_series": series, "alert_rule_test": [at]}
    file = tmp_path / "test.yaml"
    content = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}
    file.write_text(json.dumps(content))
    done = run("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr
