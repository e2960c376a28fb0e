"""The generated references and their paths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dev.checks import metrics
from dev.checks.references import chart_values, command_line, faults, kinds
from roadstead.__main__ import command_parser

REFERENCES = Path(__file__).parents[3] / "docs" / "reference"


def pages() -> Mapping[Path, str]:
    """The content of each page, by its path."""
    return {
        REFERENCES / "api.md": kinds.reference(),
        REFERENCES / "commands.md": command_line.reference(command_parser()),
        REFERENCES / "faults.md": faults.reference(),
        REFERENCES / "metrics.md": metrics.reference(metrics.metrics()),
        REFERENCES / "values.md": chart_values.reference(),
    }
