"""docs/reference/values.md, generated from chart/values.yaml, its comments and its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev.checks.references.chart_comments import Value, values
from dev.checks.references.markdown import code, prose, table
from dev.checks.references.value_schemas import Schema, Shape, below, entries, shape

CHART = Path(__file__).parents[3] / "chart"
HEAD = """# Chart values

Written from `chart/values.yaml` and `chart/values.schema.json` by `make references`. An
unknown value is refused. Paths are those of `--set`: `--set operator.replicas=3`.
"""


def reference() -> str:
    """The content of the page."""
    return HEAD + tables()


def tables() -> str:
    """A section for each value of the top level; links are relative to docs/reference."""
    found = values((CHART / "values.yaml").read_text())
    root = json.loads((CHART / "values.schema.json").read_text())
    return "".join(_part(each, root) for each in found)


def _part(value: Value, root: Schema) -> str:
    text = f"\n## `{value.path}`\n"
    if value.description:
        text += f"{prose(value.description)}\n"
    rows = [*_leaves(value)] if value.below else [value]
    text += "\n" + table(
        ("value", "type", "default", "description"),
        (_row(each, root, described=each is not value) for each in rows),
    )
    return text + "".join(_after(rows, root))


def _leaves(value: Value) -> Iterator[Value]:
    """All values below it; maps of values only if they have a description."""
    for each in value.below:
        if not each.below or each.description:
            yield each
        yield from _leaves(each)


def _row(value: Value, root: Schema, *, described: bool) -> Sequence[str]:
    found = shape(below(root, value.path), value.path)
    cells = ("", "") if value.below else (found.type, code(value.default))
    return (code(value.path), *cells, prose(value.description) if described else "")


def _after(rows: Sequence[Value], root: Schema) -> Iterator[str]:
    """What doesn't fit into a table: patterns, and the fields of list items."""
    shapes = [
        (each.path, shape(below(root, each.path), each.path)) for each in rows if not each.below
    ]
    patterns = [(path, each.pattern) for path, each in shapes if each.pattern]
    if patterns:
        yield "\nPatterns:\n\n"
        yield from (f"- {code(path)}: {code(pattern)}\n" for path, pattern in patterns)
    for path, _ in shapes:
        found = entries(below(root, path), path)
        if found:
            yield f"\nAn entry of {code(path)}:\n\n{_fields(found)}"


def _fields(found: Sequence[tuple[str, bool, Shape]]) -> str:
    return table(
        ("field", "type", "pattern"),
        (
            (
                code(name),
                f"{each.type}, required" if required else each.type,
                code(each.pattern) if each.pattern else "",
            )
            for name, required, each in found
        ),
    )
