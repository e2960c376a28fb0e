"""Rendering templates/ into objects, so that no value can change an object's shape.

Templates hold shape, Python holds decisions: each `{{ value }}` becomes one JSON value, which is
one YAML value too, whatever the text in it says.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import jinja2
import yaml

from roadstead.assets import asset_root

Manifest = dict[str, Any]
"""A whole object, as it is sent to the API server."""

# libyaml parses ten times as fast, which a burst of hundreds of servers feels; PyYAML's wheels
# carry it, a source build may not.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_PLAIN_ASCII = re.compile(r"[^\x20-\x7e]")


def render(template: str, **values: Any) -> list[Manifest]:
    """The objects in `templates/<template>`; an undefined name is an `UndefinedError`."""
    text = render_text(template, **values)
    return [item for item in yaml.load_all(text, Loader=_Loader) if item]


def render_text(template: str, **values: Any) -> str:
    """The text of `templates/<template>`, comments included."""
    return environment().get_template(template).render(**values)


@functools.cache
def environment() -> jinja2.Environment:
    """The environment of all templates, made once: templates are compiled on first use."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(asset_root() / "templates"),
        undefined=jinja2.StrictUndefined,
        finalize=json_value,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        autoescape=False,  # noqa: S701 no HTML here; json_value is what escapes
    )


def json_value(value: object) -> str:
    """One line of ASCII that is `value` both in JSON and in YAML 1.1.

    Floats are refused: YAML 1.1 reads `1e+16` as text, and Kubernetes' API has no use for them.
    """
    if isinstance(value, jinja2.Undefined):
        return str(value)  # StrictUndefined raises; json.dumps would hide its message
    _refuse_floats(value)
    # Not `ensure_ascii`: its surrogate pairs are two broken characters in YAML. Unescaped, YAML
    # folds U+0085 and U+2028 into blanks.
    return _NOT_PLAIN_ASCII.sub(_escaped, json.dumps(value, ensure_ascii=False))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError(f"{value!r} is a float; write it as a string")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)
