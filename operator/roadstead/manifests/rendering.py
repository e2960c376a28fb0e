"""Renders templates/ into objects so that no value can change an object's structure.

Templates define structure, Python makes decisions. In an object, each `{{ value }}` becomes a
numbered slot of the YAML, which is filled after parsing, so a value is never parsed. Rendering is
also fast: a template's YAML is parsed once for each structure that its conditions produce. If text
is needed, for its comments, each value becomes one line of JSON, which is valid YAML.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Callable
from typing import Any

import jinja2
import yaml

from roadstead.assets import asset_root

Manifest = dict[str, Any]
"""A whole object, in the form that is sent to the API server."""

_SLOTS = "_slots"
_SHAPES = 256
_NOT_PLAIN_ASCII = re.compile(r"[^\x20-\x7e]")


def render(template: str, **values: Any) -> list[Manifest]:
    """The objects in `templates/<template>`. Raises `UndefinedError` for an undefined name."""
    slots: list[Any] = []
    text = _environment(_slot).get_template(template).render({**values, _SLOTS: slots})
    return [_filled(document, slots) for document in _parsed(text) if document]


def load_templates(folder: str) -> None:
    """Read and compile the templates of a folder now: later there may be no free file for them."""
    environment = _environment(_slot)
    for name in environment.list_templates(filter_func=lambda each: each.startswith(f"{folder}/")):
        environment.get_template(name)


def render_text(template: str, **values: Any) -> str:
    """The text of `templates/<template>`, comments included."""
    return text_environment().get_template(template).render(**values)


def text_environment() -> jinja2.Environment:
    """The environment that renders templates to text."""
    return _environment(json_value)


def json_value(value: object) -> str:
    """One line of ASCII that is `value` both in JSON and in YAML 1.1."""
    # Not `ensure_ascii`: its surrogate pairs are two broken characters in YAML. Unescaped, YAML
    # folds U+0085 and U+2028 into blanks.
    return _NOT_PLAIN_ASCII.sub(_escaped, json.dumps(_plain(value), ensure_ascii=False))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@functools.cache
def _environment(finalize: Callable[..., str]) -> jinja2.Environment:
    # Cached for each `finalize`: an environment compiles a template on its first use.
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(asset_root() / "templates"),
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        autoescape=False,  # noqa: S701 no HTML here; `finalize` escapes values
    )


@dataclasses.dataclass(frozen=True)
class _Slot:
    """The place of a value in a parsed template."""

    number: int


class _Loader(yaml.SafeLoader):
    """Plain YAML, and the tag `!slot` of rendered values."""


_Loader.add_constructor("!slot", lambda loader, node: _Slot(int(node.value)))


@jinja2.pass_context
def _slot(context: jinja2.runtime.Context, value: object) -> str:
    slots: list[Any] = context[_SLOTS]
    slots.append(_plain(value))
    return f"!slot {len(slots) - 1}"


@functools.lru_cache(maxsize=_SHAPES)
def _parsed(text: str) -> tuple[Any, ...]:
    return tuple(yaml.load_all(text, Loader=_Loader))


def _filled(node: Any, slots: list[Any]) -> Any:
    if isinstance(node, _Slot):
        return slots[node.number]
    if isinstance(node, dict):
        return {_filled(key, slots): _filled(value, slots) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(item, slots) for item in node]
    return node


def _plain(value: object) -> Any:
    """A copy in plain JSON types, so that objects share no values.

    Floats are refused: YAML 1.1 parses `1e+16` as text, and Kubernetes' API has no floats.
    """
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, jinja2.Undefined):
        return str(value)  # StrictUndefined raises, with the name in its message
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise TypeError(f"{value!r} is not text, a whole number, or a collection of them")
