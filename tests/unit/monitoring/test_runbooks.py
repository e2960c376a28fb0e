"""Each alert has a runbook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]
RUNBOOKS = CHECKOUT / "docs" / "operations" / "runbooks"
RULES = yaml.safe_load((CHECKOUT / "chart" / "files" / "rules.yaml").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
SECTIONS = ["Meaning", "Impact", "Diagnosis", "What to do"]


def page(alert: Any) -> str:
    return (CHECKOUT / str(alert["annotations"]["runbook_url"])).read_text()


def test_each_alert_has_a_runbook_and_no_other_exists() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {each["alert"] for each in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each["alert"])
def test_alert_links_to_its_runbook_and_has_severity(alert: Any) -> None:
    assert alert["annotations"]["runbook_url"] == f"docs/operations/runbooks/{alert['alert']}.md"
    assert alert["labels"]["severity"] in ("info", "warning", "critical")
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each["alert"])
def test_runbook_has_the_required_sections(alert: Any) -> None:
    text = page(alert)
    assert text.startswith(f"# {alert['alert']}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert "```" in text.split("## Diagnosis")[1]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each["alert"])
def test_links_of_runbooks_resolve(alert: Any) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page(alert)):
        assert (RUNBOOKS / target).is_file(), target
