"""chart/values.schema.json with the descriptions of values.yaml; it admits null for each value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dev.checks.references.chart_comments import Value

SchemaNode = dict[str, Any]
NULL: Final = "null"


def described(text: str, found: Sequence[Value]) -> str:
    """The content of the schema file, from its content with other or no descriptions."""
    schema: SchemaNode = json.loads(text)
    for value in _all(found):
        parent, _, name = value.path.rpartition(".")
        section = _section(schema, parent)
        section[name] = _describe(section[name], value.description)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _all(found: Sequence[Value]) -> Iterator[Value]:
    for value in found:
        yield value
        yield from _all(value.below)


def _section(schema: SchemaNode, path: str) -> SchemaNode:
    """The properties of the section at a path."""
    for name in filter(None, path.split(".")):
        schema = schema["properties"][name]
    properties: SchemaNode = schema["properties"]
    return properties


def _describe(node: Mapping[str, Any], description: str) -> SchemaNode:
    """The description first, and null among the types or choices: it means the default."""
    rest = {name: part for name, part in node.items() if name != "description"}
    if "enum" in rest:
        rest["enum"] = [*(each for each in rest["enum"] if each is not None), None]
    elif "type" in rest:
        types = [rest["type"]] if isinstance(rest["type"], str) else rest["type"]
        rest["type"] = [*(each for each in types if each != NULL), NULL]
    return {"description": description, **rest} if description else rest
