"""The reference of the API contains everything in the definitions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from dev.checks.crds.__main__ import CRDS, load
from dev.checks.references.fields import sections
from dev.checks.references.keywords import UnknownKeyword
from dev.checks.references.kinds import reference
from dev.checks.references.markdown import anchor, prose

PAGE = reference()
RULES = "x-kubernetes-validations"
ROOTS = [each["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for each in load(CRDS).values()]


def nodes(schema: Any) -> Iterator[Any]:
    """The schema and all schemas below it."""
    yield schema
    below = [*schema.get("properties", {}).values()]
    below += [schema[key] for key in ("items", "additionalProperties") if key in schema]
    for each in below:
        yield from nodes(each)


def test_every_description_is_on_the_page() -> None:
    texts = [prose(each["description"]) for root in ROOTS for each in nodes(root)]
    assert [each for each in texts if each.replace("|", "\\|") not in PAGE] == []
    assert len(texts) > 100


def test_every_rule_is_on_the_page_once_with_its_message() -> None:
    found = [rule for root in ROOTS for each in nodes(root) for rule in each.get(RULES, ())]
    listed = [rule for root in ROOTS for each in sections(root) for rule in each.rules]
    assert sorted((rule["rule"], rule["message"]) for rule in found) == sorted(
        (rule.expression, rule.message) for rule in listed
    )
    assert [each["rule"] for each in found if each["rule"].strip() not in PAGE] == []


def test_every_link_has_a_section() -> None:
    headings = {anchor(line.lstrip("# ")) for line in PAGE.splitlines() if line.startswith("#")}
    links = set(re.findall(r"\]\(#([^)]+)\)", PAGE))
    assert links
    assert links <= headings


def test_field_is_listed_with_its_bounds_and_default() -> None:
    schema = {
        "type": "object",
        "description": "A.",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "description": "B.", "minLength": 1, "maxLength": 63},
            "size": {"type": "integer", "description": "C.", "minimum": 0, "default": 4},
            "kind": {"type": "string", "description": "D.", "enum": ["x", "y"]},
        },
    }
    fields = next(sections(schema)).fields
    assert [(each.name, each.type, each.default, each.required) for each in fields] == [
        ("name", "string, 1 to 63 characters", "", True),
        ("size", "integer, at least 0", "`4`", False),
        ("kind", "string, one of `x`, `y`", "", False),
    ]


def test_list_items_have_a_row_or_a_section() -> None:
    text = {"type": "string", "description": "B."}
    thing = {"type": "object", "description": "C.", "properties": {"name": text}}
    schema = {
        "type": "object",
        "description": "A.",
        "properties": {
            "texts": {"type": "array", "description": "D.", "items": text},
            "things": {"type": "array", "description": "E.", "items": thing},
        },
    }
    found = {each.path: [field.name for field in each.fields] for each in sections(schema)}
    assert found == {"": ["texts", "texts[]", "things", "things[]"], "things[]": ["name"]}


@pytest.mark.parametrize("keyword", ["multipleOf", "x-kubernetes-preserve-unknown-fields"])
def test_unknown_schema_keyword_is_refused(keyword: str) -> None:
    node = {"type": "string", "description": "B.", keyword: 1}
    schema = {"type": "object", "description": "A.", "properties": {"name": node}}
    with pytest.raises(
        UnknownKeyword, match=f"^name: the reference does not render {keyword}: add it to "
    ):
        list(sections(schema))
