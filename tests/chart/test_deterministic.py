"""Two renders of the chart are byte-equal if all Secrets are given, as Argo CD requires."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.charts import Chart, Values, with_image

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


def test_renders_with_given_secrets_are_byte_equal(chart: Chart, tmp_path: Path) -> None:
    (tmp_path / "values.json").write_text(json.dumps(with_image(GIVEN)))
    options = ("--kube-version=1.37.0", "--values=values.json")
    assert chart.render_in(tmp_path, *options) == chart.render_in(tmp_path, *options)
