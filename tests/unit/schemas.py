"""Whether a value is what a CRD's schema lets through, field by field."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CRDS = Path(__file__).parents[2] / "crds"
_TYPES: Mapping[str, type] = {"object": dict, "array": list, "string": str, "integer": int}
_HIGHEST = {"int32": 2**31 - 1, "int64": 2**63 - 1}


def status_schema(plural: str) -> Mapping[str, Any]:
    """The schema of `status` of one of our kinds."""
    text = (CRDS / f"model.example.com_{plural}.yaml").read_text()
    crd = yaml.load(text, Loader=yaml.CSafeLoader)
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema: Mapping[str, Any] = root["properties"]["status"]
    return schema


def faults(schema: Mapping[str, Any], value: Any, path: str = "status") -> Iterator[str]:
    """The paths of all values that the API server would refuse or drop."""
    if not isinstance(value, _TYPES[schema["type"]]):
        yield f"{path}: {value!r} is no {schema['type']}"
    elif isinstance(value, dict):
        yield from _fields(schema, value, path)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from faults(schema["items"], item, f"{path}[{number}]")
    elif isinstance(value, str):
        yield from _text(schema, value, path)
    elif not schema["minimum"] <= value <= schema.get("maximum", _HIGHEST[schema["format"]]):
        yield f"{path}: {value} is out of bounds"


def _fields(schema: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[str]:
    yield from (
        f"{path}.{name}: missing" for name in schema.get("required", ()) if name not in value
    )
    for name, item in value.items():
        if name in schema["properties"]:
            yield from faults(schema["properties"][name], item, f"{path}.{name}")
        else:
            yield f"{path}.{name}: not in the schema"


def _text(schema: Mapping[str, Any], value: str, path: str) -> Iterator[str]:
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{path}: longer than {schema['maxLength']}"
    if len(value) < schema.get("minLength", 0):
        yield f"{path}: too short"
    if value not in schema.get("enum", (value,)):
        yield f"{path}: {value!r} is none of {schema['enum']}"
    if not re.search(schema.get("pattern", ""), value):
        yield f"{path}: {value!r} does not match"
