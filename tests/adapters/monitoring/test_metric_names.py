"""The names of metrics follow Prometheus' conventions, as checked by promtool."""

from __future__ import annotations

import subprocess

from dev.checks.metrics import exposition, metrics
from dev.servers.prometheus import promtool


def test_metric_names_follow_the_conventions() -> None:
    page = exposition(metrics())
    done = subprocess.run(
        [promtool(), "check", "metrics"], input=page, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
