"""The types and bounds of values in chart/values.schema.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dev.checks.references.keywords import check_keywords
from dev.checks.references.markdown import choice, span

Schema = Mapping[str, Any]

KNOWN: Final = frozenset(
    {
        *("type", "enum", "pattern", "properties", "additionalProperties", "items", "required"),
        "description",
        *("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Type, bounds and pattern of a value."""

    type: str
    """With its bounds."""
    pattern: str


def below(schema: Schema, path: str) -> Schema:
    """The schema of the value at a path of names, separated by dots."""
    for name in path.split("."):
        schema = schema["properties"][name]
    return schema


def shape(schema: Schema, path: str) -> Shape:
    """Type, bounds and pattern; for a list also those of its items."""
    check_keywords(schema, KNOWN, path, __name__)
    items = shape(schema["items"], f"{path}[]") if "items" in schema else None
    kind = f"list of {items.type}" if items else _type(schema)
    return Shape(
        type=", ".join(filter(None, (kind, *_bounds(schema)))),
        pattern=schema.get("pattern", items.pattern if items else ""),
    )


def entries(schema: Schema, path: str) -> Sequence[tuple[str, bool, Shape]]:
    """The fields of list items: name, whether it is required, and its shape."""
    items = schema.get("items", {})
    required = items.get("required", ())
    return [
        (name, name in required, shape(each, f"{path}[].{name}"))
        for name, each in items.get("properties", {}).items()
    ]


def _type(schema: Schema) -> str:
    kind = schema.get("type", "string")
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping):
        return f"map of {_type(values)}"
    # Every value may be null, which means its default.
    return kind if isinstance(kind, str) else " or ".join(each for each in kind if each != "null")


def _bounds(schema: Schema) -> Iterator[str]:
    yield choice([each for each in schema.get("enum", ()) if each is not None])
    yield span(schema.get("minimum"), schema.get("maximum"))
    yield span(schema.get("minLength"), schema.get("maxLength"), "characters")
    yield span(schema.get("minItems"), schema.get("maxItems"), "items")
    yield "no item twice" if schema.get("uniqueItems") else ""
