"""The fields and rules of an OpenAPI schema, as the API reference lists them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dev.checks.references.keywords import check_keywords
from dev.checks.references.markdown import choice, code, span

Schema = Mapping[str, Any]

KNOWN: Final = frozenset(
    {
        *("type", "format", "description", "default", "enum", "pattern", "required", "anyOf"),
        *("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties"),
        *("properties", "items", "additionalProperties", "x-kubernetes-validations"),
        *("x-kubernetes-int-or-string", "x-kubernetes-map-type"),
        *("x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    }
)
KNOWN_OF_RULES: Final = frozenset({"rule", "message", "fieldPath"})


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One CEL rule."""

    field: str
    """Name within the section; empty for the whole object."""
    message: str
    expression: str


@dataclass(frozen=True, kw_only=True)
class Field:
    """One row of a table."""

    name: str
    type: str
    """With its bounds."""
    default: str
    required: bool
    pattern: str
    description: str
    section: str
    """Path of the section that lists its own fields; empty without one."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One object: its fields, and the rules of itself and of those fields."""

    path: str
    description: str
    fields: Sequence[Field]
    rules: Sequence[Rule]


def sections(schema: Schema, path: str = "") -> Iterator[Section]:
    """The object and all objects below it, each after the object that it is a field of."""
    nodes = list(_nodes(schema, path))
    required = schema.get("required", ())
    rules = [rule for name, node in (("", schema), *nodes) for rule in _rules(node, name, path)]
    yield Section(
        path=path,
        description=schema["description"],
        fields=[_field(name, node, path, name in required) for name, node in nodes],
        rules=rules,
    )
    for name, node in nodes:
        if _is_object(node):
            yield from sections(node, _join(path, name))


def _nodes(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """The schemas of a table by name: properties, and the contents of their lists and maps."""
    check_keywords(schema, KNOWN, path, __name__)
    for name, node in schema.get("properties", {}).items():
        yield from _with_contents(name, node, path)


def _with_contents(name: str, node: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    check_keywords(node, KNOWN, _join(path, name), __name__)
    yield name, node
    if "items" in node:
        yield from _with_contents(f"{name}[]", node["items"], path)
    if "additionalProperties" in node:
        yield from _with_contents(f"{name}{{}}", node["additionalProperties"], path)


def _field(name: str, node: Schema, path: str, required: bool) -> Field:
    return Field(
        name=name,
        type=", ".join(filter(None, (_type(node), *_bounds(node)))),
        default=code(json.dumps(node["default"])) if "default" in node else "",
        required=required,
        pattern=node.get("pattern", ""),
        description=node["description"],
        section=_join(path, name) if _is_object(node) else "",
    )


def _type(node: Schema) -> str:
    if node.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if node.get("format") == "date-time":
        return "date-time"
    if "items" in node:
        return f"list of {_type(node['items'])}"
    if "additionalProperties" in node:
        return f"map of {_type(node['additionalProperties'])}"
    return str(node["type"])


def _bounds(node: Schema) -> Iterator[str]:
    yield choice(node.get("enum", ()))
    yield span(node.get("minimum"), node.get("maximum"))
    yield span(node.get("minLength"), node.get("maxLength"), "characters")
    yield span(node.get("minItems"), node.get("maxItems"), "items")
    yield span(None, node.get("maxProperties"), "entries")
    yield "no item twice" if node.get("x-kubernetes-list-type") == "set" else ""
    keys = ", ".join(map(code, node.get("x-kubernetes-list-map-keys", ())))
    yield f"one item for each {keys}" if keys else ""
    types = (node.get("x-kubernetes-list-type"), node.get("x-kubernetes-map-type"))
    yield "replaced as a whole" if "atomic" in types else ""


def _rules(node: Schema, name: str, path: str) -> Iterator[Rule]:
    # The rules of an object are listed with its own fields.
    if name and _is_object(node):
        return
    for rule in node.get("x-kubernetes-validations", ()):
        check_keywords(rule, KNOWN_OF_RULES, _join(path, name), __name__)
        yield Rule(
            field=name or rule.get("fieldPath", "").removeprefix("."),
            message=rule["message"],
            expression=rule["rule"],
        )


def _is_object(node: Schema) -> bool:
    return node.get("type") == "object" and "additionalProperties" not in node


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name
