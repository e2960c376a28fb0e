"""Compares two schemas of one field: whether what the old one accepts is valid in the new one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_UPPER: Final = ("maximum", "maxLength", "maxItems", "maxProperties")
_LOWER: Final = ("minimum", "minLength", "minItems", "minProperties")
_FREE: Final = frozenset({"description", "title", "example", "externalDocs"})
_COMPARED: Final = frozenset(
    {
        *(*_UPPER, *_LOWER, "type", "x-kubernetes-int-or-string", "nullable", "enum"),
        *("properties", "required", "items", "additionalProperties", "x-kubernetes-validations"),
    }
)


def differences(old: Schema, new: Schema, path: str) -> Iterator[str]:
    """Incompatible changes for stored objects or their clients, each with the field's path."""
    yield from _types(old, new, path)
    yield from _bounds(old, new, path)
    yield from _values(old, new, path)
    yield from _rules(old, new, path)
    yield from _fields(old, new, path)
    # List and map types, formats, patterns, defaults, and other keywords of Kubernetes.
    for key in sorted((old.keys() | new.keys()) - _COMPARED - _FREE):
        if old.get(key) != new.get(key):
            yield f"{path}: {key} was {old.get(key)!r}, is {new.get(key)!r}"


def _types(old: Schema, new: Schema, path: str) -> Iterator[str]:
    lost = sorted(_accepted(old) - _accepted(new))
    if lost:
        yield f"{path}: no longer accepts {' and '.join(lost)}"
    if old.get("nullable") and not new.get("nullable"):
        yield f"{path}: no longer accepts null"


def _accepted(schema: Schema) -> set[str]:
    if schema.get("x-kubernetes-int-or-string"):
        return {"integer", "string"}
    return {schema["type"]} if "type" in schema else set()


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for key in _UPPER:
        if key in new and new[key] < old.get(key, float("inf")):
            yield f"{path}: {key} was {old.get(key, 'none')}, is {new[key]}"
    for key in _LOWER:
        if key in new and new[key] > old.get(key, float("-inf")):
            yield f"{path}: {key} was {old.get(key, 'none')}, is {new[key]}"


def _values(old: Schema, new: Schema, path: str) -> Iterator[str]:
    if "enum" in new and "enum" not in old:
        yield f"{path}: enum was added"
    for value in old.get("enum", ()):
        if value not in new.get("enum", (value,)):
            yield f"{path}: enum no longer has {value!r}"


def _rules(old: Schema, new: Schema, path: str) -> Iterator[str]:
    """A new rule with `oldSelf` can accept stored values; other new rules can't.

    An old rule that is extended by `|| ` and another condition is compatible too.
    """
    known = {item["rule"] for item in old.get("x-kubernetes-validations", ())}
    for item in new.get("x-kubernetes-validations", ()):
        widened = any(_widens(item["rule"], rule) for rule in known)
        if item["rule"] not in known and "oldSelf" not in item["rule"] and not widened:
            yield f"{path}: a new rule does not consider oldSelf: {item['rule']}"


def _widens(new: str, old: str) -> bool:
    return new.startswith(f"{old} || ") and " ? " not in new.removeprefix(old)


def _fields(old: Schema, new: Schema, path: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        if "default" not in after.get(name, {}):
            yield f"{path}.{name}: became required"
    for name in sorted(before.keys() | after.keys()):
        yield from _field(before.get(name), after.get(name), f"{path}.{name}")
    yield from _below(old.get("items"), new.get("items"), f"{path}[]")
    key = "additionalProperties"
    yield from _below(old.get(key), new.get(key), f"{path}{{}}")


def _field(old: Schema | None, new: Schema | None, path: str) -> Iterator[str]:
    if new is None:
        yield f"{path}: was removed"
    elif old is not None:
        yield from differences(old, new, path)
    elif "default" in new:
        # A receipt covers the spec with its defaults, so every object would need a new receipt.
        yield f"{path}: is new and has a default, which changes stored objects when they are read"


def _below(old: Any, new: Any, path: str) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from differences(old, new, path)
    elif old != new:
        yield f"{path}: the schema of its items was {old!r}, is {new!r}"
