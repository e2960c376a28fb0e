"""Helm and the chart, once per session."""

from __future__ import annotations

import pytest

from dev.binaries import ensure
from tests.support.apiserver import binaries
from tests.support.charts import NO_GATEWAY, Chart, Rendered

__all__ = ["binaries"]


@pytest.fixture(scope="session")
def chart() -> Chart:
    return Chart(helm=ensure("helm")["helm"])


@pytest.fixture(scope="session")
def defaults(chart: Chart) -> Rendered:
    return chart.render()


@pytest.fixture(scope="session")
def no_gateway(chart: Chart) -> Rendered:
    return chart.render(NO_GATEWAY)
