"""The values of a chart, each with its default value and the comment above it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import yaml

POD_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "resources": "Resources of the container, as in Kubernetes.",
        "podAnnotations": "Annotations of the pods.",
        "podLabels": "Labels of the pods.",
        "nodeSelector": "As in a pod of Kubernetes.",
        "tolerations": "As in a pod of Kubernetes.",
        "affinity": "As in a pod of Kubernetes.",
        "priorityClassName": "As in a pod of Kubernetes.",
    }
)
"""Descriptions of values that are named as in Kubernetes, if they have no comment."""
WHOLE = frozenset({"resources"})
"""Maps that count as one value."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value, or a map of values."""

    path: str
    default: str
    description: str
    below: Sequence[Value]


def values(text: str) -> Sequence[Value]:
    """All values of a values.yaml; the top level in its order."""
    root = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise TypeError("values.yaml: expected a map")
    return _below(root, "", text.splitlines())


def _below(node: yaml.MappingNode, path: str, lines: Sequence[str]) -> Sequence[Value]:
    return [_value(key, value, path, lines) for key, value in node.value]


def _value(key: yaml.Node, node: yaml.Node, path: str, lines: Sequence[str]) -> Value:
    name = str(key.value)
    whole = f"{path}.{name}" if path else name
    is_map = isinstance(node, yaml.MappingNode) and node.value and name not in WHOLE
    return Value(
        path=whole,
        default=json.dumps(yaml.SafeLoader("").construct_document(node), ensure_ascii=False),
        description=_comment(lines, key.start_mark.line) or POD_FIELDS.get(name, ""),
        below=_below(node, whole, lines) if is_map and isinstance(node, yaml.MappingNode) else (),
    )


def _comment(lines: Sequence[str], line: int) -> str:
    """The comment directly above a line, as one paragraph."""
    found: list[str] = []
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        found.insert(0, lines[line].lstrip().removeprefix("#").strip())
    return " ".join(found)
