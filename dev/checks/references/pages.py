"""The generated references and files of the chart, and their paths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dev.checks import metrics
from dev.checks.references import (
    chart_defaults,
    chart_readme,
    chart_schema,
    chart_values,
    command_line,
    faults,
    kinds,
)
from dev.checks.references.chart_comments import values
from roadstead.__main__ import command_parser

CHECKOUT = Path(__file__).parents[3]
REFERENCES = CHECKOUT / "docs" / "reference"


def pages() -> Mapping[Path, str]:
    """The content of each page and each generated file of the chart, by its path."""
    return {**_references(), **_chart_files()}


def _chart_files() -> Mapping[Path, str]:
    chart = CHECKOUT / "chart"
    text = (chart / "values.yaml").read_text()
    schema = chart / "values.schema.json"
    return {
        chart / "README.md": chart_readme.readme(),
        chart / "files" / "defaults.yaml": chart_defaults.defaults(text),
        schema: chart_schema.described(schema.read_text(), values(text)),
    }


def _references() -> Mapping[Path, str]:
    return {
        REFERENCES / "api.md": kinds.reference(),
        REFERENCES / "commands.md": command_line.reference(command_parser()),
        REFERENCES / "faults.md": faults.reference(),
        REFERENCES / "metrics.md": metrics.reference(metrics.metrics()),
        REFERENCES / "values.md": chart_values.reference(),
    }
