"""The reference of chart values: each has a description, a type and its default."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import yaml

from dev.checks.references.chart_comments import Value, values
from dev.checks.references.chart_values import CHART, reference
from dev.checks.references.keywords import UnknownKeyword
from dev.checks.references.value_schemas import shape

TEXT = (CHART / "values.yaml").read_text()


def leaves(found: Sequence[Value]) -> Iterator[Value]:
    """Values that can be set."""
    for each in found:
        yield from leaves(each.below) if each.below else [each]


LEAVES = list(leaves(values(TEXT)))


@pytest.mark.parametrize("value", LEAVES, ids=lambda each: each.path)
def test_value_has_a_comment(value: Value) -> None:
    assert value.description, f"chart/values.yaml: write a comment above {value.path}"


def test_page_lists_every_value_once() -> None:
    page = reference()
    assert [each.path for each in LEAVES if page.count(f"\n| `{each.path}` |") != 1] == []
    assert len(LEAVES) > 100


def test_defaults_match_the_file() -> None:
    whole = yaml.safe_load(TEXT)
    for each in LEAVES:
        node = whole
        for name in each.path.split("."):
            node = node[name]
        assert yaml.safe_load(each.default) == node


def test_comment_is_directly_above_its_value() -> None:
    text = "# Of nothing.\n\na:\n  # One\n  # sentence.\n  b: 1\n  c: [x]\n  podLabels: {}\n"
    assert [(each.path, each.default, each.description) for each in leaves(values(text))] == [
        ("a.b", "1", "One sentence."),
        ("a.c", '["x"]', ""),
        ("a.podLabels", "{}", "Labels of the pods."),
    ]


def test_type_has_the_bounds_of_the_schema() -> None:
    assert shape({"type": "integer", "minimum": 1, "maximum": 8}, "a").type == "integer, 1 to 8"
    assert shape({"enum": ["a", "b"]}, "a").type == "string, one of `a`, `b`"
    items = {"type": "string", "minLength": 1, "pattern": "^a"}
    found = shape({"type": "array", "maxItems": 3, "items": items}, "a")
    assert found.type == "list of string, not empty, at most 3 items"
    assert found.pattern == "^a"


def test_unknown_schema_keyword_is_refused() -> None:
    with pytest.raises(UnknownKeyword, match=r"^a: .* multipleOf: add it to .*value_schemas\.py"):
        shape({"type": "integer", "multipleOf": 2}, "a")
