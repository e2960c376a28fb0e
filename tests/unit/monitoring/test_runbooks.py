"""Each alert has a page that says what it means and what to do."""

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


def test_there_is_a_page_for_each_alert_and_no_other() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {each["alert"] for each in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each["alert"])
def test_alert_leads_to_its_page_and_says_how_bad_it_is(alert: Any) -> None:
    assert alert["annotations"]["runbook_url"] == f"docs/operations/runbooks/{alert['alert']}.md"
    assert alert["labels"]["severity"] in ("info", "warning", "critical")
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each["alert"])
def test_page_says_what_it_means_and_what_to_do(alert: Any) -> None:
    text = page(alert)
    assert text.startswith(f"# {alert['alert']}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert "```" in text.split("## Diagnosis")[1]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each["alert"])
def test_links_of_a_page_lead_somewhere(alert: Any) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page(alert)):
        assert (RUNBOOKS / target).is_file(), target
