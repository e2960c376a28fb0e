"""The chart accepts the values that the pages show, those of a page from top to bottom."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.charts import IMAGE, Chart
from tests.support.documentation.blocks import Block, Kind, all_blocks

BLOCKS = [each for each in all_blocks() if each.kind is Kind.VALUES and not each.reason]


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Values as Helm merges those of several files."""
    result = {**under, **over}
    for key in under.keys() & over.keys():
        if isinstance(under[key], dict) and isinstance(over[key], dict):
            result[key] = merged(under[key], over[key])
    return result


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_documented_values_render(chart: Chart, block: Block) -> None:
    values: dict[str, Any] = {}
    for each in BLOCKS:
        if each.page == block.page and each.line <= block.line:
            values = merged(values, each.documents()[0])
    values = merged(values, {"images": {"roadstead": IMAGE}})
    assert chart.render(values).of("Deployment")


def test_pages_have_values_to_check() -> None:
    assert len(BLOCKS) >= 10
