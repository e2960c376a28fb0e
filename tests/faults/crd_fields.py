"""Every field of the specs, and values at, within and just outside its bounds.

They are generated from the CRD files, so a new field is tested as soon as it exists.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from dev.servers.apiclient import CRDS
from tests.support.builders.objects import PLURALS, Raw

Path = tuple[str, ...]
"""Names of fields; `[]` is an item of a list, `{}` a value of a map."""

_MATCH = re.compile(r"(!?)self\.matches\('([^']*)'\)")
_QUANTITIES: Final = ("0", "1", "500m", ".5", "1e3", "1.5Gi", "9223372036854775807", 0, 2**63 - 1)
_NO_QUANTITIES: Final = ("-1", "much", "1 Gi", "", -1, "1" * 33)
_QUESTIONABLE: Final = ("1e99", "9E", "1e-9", "1n", "+1", "9" * 32, "9" * 24 + "Ei", 2**63)
_TIMES: Final = ("2030-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2030-01-01T00:00:00.5+14:00")
_QUESTIONABLE_TIMES: Final = ("0001-01-01T00:00:00Z", "2030-12-31T23:59:60Z", "2030-01-01T00:00Z")
_KEYS: Final = {"requests": "cpu", "limits": "memory", "resources": "ephemeral-storage"}
"""Keys for maps that accept only some."""
_FORMS: Final = (
    "{a}",
    "{0}",
    "1.5",
    "-{a}",
    "--{a}",
    "http://127.0.0.1:9",
    "http://{a}.invalid",
    "http://127.0.0.1:9/{a}",
    "0a1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f",
)
"""Texts of any length; some have the format that a field requires."""


def nest(path: Path, content: Any) -> Any:
    """`content` wrapped in the lists and maps of its path."""
    for above, segment in reversed([*zip(("", *path), path, strict=False)]):
        key = _KEYS.get(above, "k") if segment == "{}" else segment
        content = [content] if segment == "[]" else {key: content}
    return content


_COMPANIONS: Final[tuple[tuple[Path, Raw], ...]] = (
    (("source", "quant"), {"source": {"quant": {"modelId": "unknown"}}}),
    (("source", "presignedUrl"), {"source": {"presignedUrl": {"secretRef": {"name": "url"}}}}),
    (("source", "stored"), {"minioPath": "unknown.gguf"}),
    (("runtimeParams", "parallel"), {"runtimeParams": {"contextSize": 65536}}),
    (("runtimeParams", "ubatchSize"), {"runtimeParams": {"batchSize": 65536}}),
    (("config", "tolerations", "[]"), {"config": {"tolerations": [{"key": "k"}]}}),
    (
        ("config", "tolerations", "[]", "tolerationSeconds"),
        {"config": {"tolerations": [{"effect": "NoExecute"}]}},
    ),
    (
        ("namespaces", "selector", "matchExpressions", "[]"),
        nest(
            ("namespaces", "selector", "matchExpressions", "[]"),
            {"key": "k", "operator": "In", "values": ["v"]},
        ),
    ),
)
"""Other fields that a field requires."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a spec."""

    kind: str
    path: Path
    schema: Raw

    @property
    def name(self) -> str:
        """The name that a message about the field must contain."""
        return next(part for part in reversed(self.path) if part not in ("[]", "{}"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A value of a field; `fits` is None if only the API server can decide it."""

    field: Field
    value: Any
    fits: bool | None

    @property
    def spec(self) -> Raw:
        """A spec with the value, and with the other fields that it requires."""
        found: Raw = nest(self.field.path, self.value)
        for start, companion in _COMPANIONS:
            if self.field.path[: len(start)] == start:
                found = merge(companion, found)
        if self.value in ("Exists", "DoesNotExist") and self.field.path[0] == "namespaces":
            del found["namespaces"]["selector"]["matchExpressions"][0]["values"]
        return found

    def __str__(self) -> str:
        return f"{self.field.kind} {'.'.join(self.field.path)} = {str(self.value)[:40]!r}"


def spec_schema(kind: str) -> Raw:
    """The schema of `spec` of one of our kinds."""
    text = (CRDS / f"model.example.com_{PLURALS[kind]}.yaml").read_text()
    crd = yaml.load(text, Loader=yaml.CSafeLoader)
    root: Raw = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema: Raw = root["properties"]["spec"]
    return schema


def fields(kind: str) -> Iterator[Field]:
    """All fields, lists and maps before their content."""
    yield from _below(kind, (), spec_schema(kind))


def _below(kind: str, path: Path, schema: Raw) -> Iterator[Field]:
    if path and not schema.get("properties"):
        yield Field(kind=kind, path=path, schema=schema)
    for name, child in schema.get("properties", {}).items():
        yield from _below(kind, (*path, name), child)
    for key, segment in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from _below(kind, (*path, segment), schema[key])


def cases(field: Field) -> Iterator[Case]:
    """The cases of a field, valid ones first."""
    within, outside, open_ = _values(field.schema)
    unset = (None,) if "default" in field.schema else ()
    for fits_, values in ((True, within), (False, outside), (None, (*open_, *unset))):
        yield from (Case(field=field, value=value, fits=fits_) for value in values)


def _values(schema: Raw) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
    """Values that are valid, invalid, and undecided."""
    if schema.get("x-kubernetes-int-or-string"):
        return _QUANTITIES, _NO_QUANTITIES, _QUESTIONABLE
    if "enum" in schema:
        return schema["enum"], ("beyond", 1), ("",)
    match schema["type"]:
        case "integer":
            low, high = schema["minimum"], schema["maximum"]
            return (low, high), (low - 1, high + 1, "text", 1.5), (2**63,)
        case "array":
            return [], (["x"] * (schema["maxItems"] + 1), {}, "text"), ([],)
        case "object":
            bound = schema.get("maxProperties", 0)
            return ({},), ({f"k{n}": "1" for n in range(bound + 1)} if bound else [], "text"), ()
        case _:
            return _texts(schema)


def _texts(schema: Raw) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
    if schema.get("format") == "date-time":
        return _TIMES, ("tomorrow", 1), _QUESTIONABLE_TIMES
    low, high = schema.get("minLength", 0), schema["maxLength"]
    found = [text for size in (1, high) for text in _sized(size) if fits(schema, text)]
    outside: list[Any] = ["x" * (high + 1), 1]
    # Rules that accept one of two formats are not evaluated here: the second one may match.
    either = any(" || " in rule["rule"] for rule in schema.get("x-kubernetes-validations", ()))
    blank = ["ä b"] if either else []
    outside += [
        text for text in ("", "\n", "ä b", "-") if text not in blank and not fits(schema, text)
    ]
    return _ends(found), outside, [*["", "\x00", "é" * high][low > 0 :], *blank]


def fits(schema: Raw, text: str) -> bool:
    """Whether a text has the length and the format that a schema requires."""
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)):
        return False
    return all(
        bool(re.search(expression, text)) != negated for negated, expression in patterns(schema)
    )


def patterns(schema: Raw) -> Iterator[tuple[bool, str]]:
    """The regular expressions of a schema's rules, and whether they must not match."""
    for rule in schema.get("x-kubernetes-validations", ()):
        for negated, expression in _MATCH.findall(rule["rule"]):
            # Python has no POSIX classes, and warns about a possible nested set.
            plain = expression.replace("[[:cntrl:]]", r"[\x00-\x1f\x7f]").replace("[[]", r"\[")
            yield bool(negated), plain


def _sized(size: int) -> Iterator[str]:
    for form in _FORMS:
        rest = max(0, size - len(form) + 3) if "{" in form else 0
        yield form.replace("{a}", "a" * rest).replace("{0}", "0" * rest)


def _ends(found: Sequence[str]) -> Sequence[str]:
    """The shortest and the longest value."""
    return sorted({min(found, key=len), max(found, key=len)}, key=len) if found else ()


def merge(base: Any, overlay: Any) -> Any:
    """`overlay` merged over `base`; lists of objects are merged by index."""
    if isinstance(base, Mapping) and isinstance(overlay, Mapping):
        both = {key: merge(base[key], overlay[key]) for key in base.keys() & overlay.keys()}
        return {**base, **overlay, **both}
    if isinstance(base, list) and isinstance(overlay, list) and base and overlay:
        return [merge(base[0], overlay[0]), *overlay[1:]]
    return overlay
