"""Image pull Secrets of the installation, which every server's pods name."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Final

from roadstead.api.object_names import is_name
from roadstead.settings import EnvReader

MAX_COPIED_NAME: Final = 190
"""A copy's name has the server's name before it, and at most 253 characters."""
FORM: Final = 'such as [{"name": "regcred"}, {"name": "mirror", "copy": true}]'


@dataclasses.dataclass(frozen=True, kw_only=True)
class PullSecret:
    """A Secret of type kubernetes.io/dockerconfigjson."""

    name: str
    copy: bool = False
    """Whether the operator copies it from its own namespace for each server.

    Otherwise each namespace with servers needs a Secret of this name.
    """


def read_pull_secrets(env: EnvReader, name: str) -> tuple[PullSecret, ...]:
    """Read a JSON list of `{name, copy}` from a variable; empty if it is missing or invalid."""
    text = env.text(name, "[]")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(_is_entry(each) for each in found):
        env.fault(name, f"is not a JSON list of pull Secrets, {FORM}")
        return ()
    secrets = tuple(PullSecret(name=each["name"], copy=each.get("copy", False)) for each in found)
    for secret in secrets:
        if secret.copy and len(secret.name) > MAX_COPIED_NAME:
            env.fault(name, f"the name of a copied Secret has at most {MAX_COPIED_NAME} characters")
    if len({secret.name for secret in secrets}) < len(secrets):
        env.fault(name, "names a Secret twice")
    return secrets


def _is_entry(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() - {"name", "copy"}:
        return False
    name, copied = value.get("name"), value.get("copy", False)
    return isinstance(name, str) and is_name(name) and isinstance(copied, bool)
