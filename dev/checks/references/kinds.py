"""docs/reference/api.md, generated from crds/: a section per kind, a table per object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dev.checks.crds.__main__ import CRDS, load
from dev.checks.crds.definitions import Definition
from dev.checks.references.fields import Field, Rule, Section, sections
from dev.checks.references.markdown import anchor, code, prose, table

HEAD = """# API

Written from `crds/` by `make references`. All kinds are of the group `model.example.com`, version
`v1alpha1`. The API server checks types, bounds and rules before anything is stored. A rule is in
[CEL](https://kubernetes.io/docs/reference/using-api/cel/), preceded by the message that it is
refused with. `kubectl explain` shows the same descriptions.

`name[]` is an item of a list, `name{}` a value of a map. A field without a default and without
*required* can be left out.
"""


def reference(definitions: Sequence[Definition] | None = None) -> str:
    """The content of the page."""
    found = load(CRDS).values() if definitions is None else definitions
    return HEAD + "".join(map(_kind, found))


def _kind(definition: Definition) -> str:
    spec = definition["spec"]
    version = spec["versions"][0]
    kind = spec["names"]["kind"]
    root = version["schema"]["openAPIV3Schema"]
    text = f"\n## {kind}\n{prose(root['description'])}\n\n{_names(spec, version)}\n"
    text += f"\nColumns of `kubectl get {spec['names']['plural']}`:\n\n{_columns(version)}"
    return text + "".join(_section(kind, each) for each in sections(root))


def _names(spec: Mapping[str, Any], version: Mapping[str, Any]) -> str:
    names = spec["names"]
    scope = "Namespaced" if spec["scope"] == "Namespaced" else "Cluster-scoped"
    short = ", ".join(map(code, names.get("shortNames", ())))
    categories = ", ".join(map(code, names.get("categories", ())))
    scaled = " `kubectl scale` works." if "scale" in version.get("subresources", {}) else ""
    return (
        f"{scope}. Resource {code(names['plural'])}, short {short}, "
        f"in the category {categories}.{scaled}"
    )


def _columns(version: Mapping[str, Any]) -> str:
    return table(
        ("column", "from", "description"),
        (
            (each["name"], code(each["jsonPath"]), prose(each.get("description", "")))
            for each in version["additionalPrinterColumns"]
        ),
    )


def _heading(kind: str, path: str) -> str:
    return f"{kind}: `{path}`"


def _section(kind: str, section: Section) -> str:
    if not section.path:
        return ""
    text = f"\n### {_heading(kind, section.path)}\n{prose(section.description)}\n"
    if section.fields:
        rows = (_row(kind, each) for each in section.fields)
        text += "\n" + table(("field", "type", "default", "description"), rows)
    return text + "".join(_checks(section))


def _row(kind: str, field: Field) -> Sequence[str]:
    name = code(field.name)
    if field.section:
        name = f"[{name}](#{anchor(_heading(kind, field.section))})"
    default = "*required*" if field.required else field.default
    return (name, field.type, default, prose(field.description))


def _checks(section: Section) -> Iterator[str]:
    patterns = [each for each in section.fields if each.pattern]
    if patterns:
        yield "\nPatterns:\n\n"
        yield from (f"- {code(each.name)}: {code(each.pattern)}\n" for each in patterns)
    if section.rules:
        yield "\nRules:\n\n"
        yield from map(_rule, section.rules)


def _rule(rule: Rule) -> str:
    where = f"{code(rule.field)}: " if rule.field else ""
    lines = "".join(f"  {line}\n" for line in rule.expression.strip().splitlines())
    return f"- {where}{prose(rule.message)}\n  ```\n{lines}  ```\n"
