"""Two renders of the chart are byte-equal, as Argo CD requires, if no Secret is rendered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roadstead.cli.secret_generation import parse_secrets
from tests.support.charts import Chart, ChartRefused, Values, with_image

NAME = "roadstead-generated-secrets"

GIVEN: Values = {
    "store": {"existingSecret": "store"},
    "quant": {"existingSecret": "quant"},
    "tokens": {"local": {"existingSecret": "jwt"}},
    "gateway": {
        "url": "https://models.example.org",
        "existingSecret": "gateway",
        "embedded": {"certificate": {"mode": "given", "existingSecret": "tls"}},
    },
    "ledger": {"existingSecrets": {"owner": "owner", "writer": "writer", "reader": "reader"}},
}


JOB: Values = {
    "secrets": {"generate": "job"},
    "gateway": {
        "url": "https://models.example.org",
        "embedded": {
            "certificate": {"mode": "cert-manager", "issuerRef": {"name": "a", "kind": "Issuer"}}
        },
    },
}


def test_renders_with_given_secrets_are_byte_equal(chart: Chart, tmp_path: Path) -> None:
    assert render_once(chart, tmp_path, GIVEN) == render_once(chart, tmp_path, GIVEN)


def test_renders_with_secrets_of_the_job_are_byte_equal(chart: Chart, tmp_path: Path) -> None:
    assert render_once(chart, tmp_path, JOB) == render_once(chart, tmp_path, JOB)


def render_once(chart: Chart, folder: Path, values: Values) -> str:
    """The chart's text, not a cached one."""
    (folder / "values.json").write_text(json.dumps(with_image(values)))
    return chart.render_in(folder, "--kube-version=1.37.0", "--values=values.json")


def test_job_creates_the_secrets_that_would_be_rendered(chart: Chart) -> None:
    wanted = {
        (each["metadata"]["name"], tuple(sorted(each["data"])))
        for each in chart.render({**JOB, "secrets": {"generate": "template"}}).of("Secret")
        if each.get("data")
    }
    rendered = chart.render(JOB)
    (container,) = rendered.one("Job", NAME)["spec"]["template"]["spec"]["containers"]
    found = parse_secrets(container["args"][-1])
    assert {(each.name, tuple(sorted(each.values))) for each in found} == wanted
    assert [each for each in rendered.of("Secret") if each.get("data")] == []


def test_job_reads_only_its_secrets(chart: Chart) -> None:
    rendered = chart.render(JOB)
    _, reading = rendered.one("Role", NAME)["rules"]
    (container,) = rendered.one("Job", NAME)["spec"]["template"]["spec"]["containers"]
    wanted = [each.name for each in parse_secrets(container["args"][-1])]
    assert reading["resourceNames"] == wanted


def test_nothing_is_created_by_a_job_by_default(chart: Chart) -> None:
    assert NAME not in chart.render().names("Job")


def test_certificate_of_each_rendering_is_refused_with_the_job(chart: Chart) -> None:
    with pytest.raises(ChartRefused, match=r"certificate.mode to cert-manager or given"):
        chart.text({"secrets": {"generate": "job"}})
