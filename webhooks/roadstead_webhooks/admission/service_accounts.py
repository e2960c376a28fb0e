"""The ServiceAccounts that need no token: `tokens.serviceAccounts` of the chart.

The API server names who sends a request (`userInfo`). For an account that is listed here, that name
is as good as a token. A review that somebody else sends can claim any name, so what it gains, a
receipt, is valid only beside an annotation that the chart's ValidatingAdmissionPolicy lets nobody
but the account itself write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from roadstead.api.object_names import NAME_FORM, NAMESPACE_FORM, is_name, is_namespace
from roadstead.settings import EnvReader
from roadstead.tokens.claims import MAX_GROUP, MAX_TEXT, is_text

VARIABLE: Final = "ROADSTEAD_SERVICE_ACCOUNTS"
MOST_ACCOUNTS: Final = 200
_FIELDS: Final = ("namespace", "name", "groups")

AccountGroups = Mapping[str, frozenset[str]]
"""The groups of each account, by its user name `system:serviceaccount:NAMESPACE:NAME`."""


def read_accounts(env: EnvReader) -> AccountGroups:
    """Read `ROADSTEAD_SERVICE_ACCOUNTS`: a JSON list of {namespace, name, groups}."""
    text = env.text(VARIABLE, "")
    if not text:
        return {}
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list) or len(entries) > MOST_ACCOUNTS:
        env.fault(VARIABLE, f"is not a JSON list of at most {MOST_ACCOUNTS} accounts")
        return {}
    found: dict[str, frozenset[str]] = {}
    for number, entry in enumerate(entries, start=1):
        if fault := next(_faults(entry), ""):
            env.fault(VARIABLE, f"account {number}: {fault}")
            continue
        name = user_name(entry["namespace"], entry["name"])
        if name in found:
            env.fault(VARIABLE, f"account {number}: {name} is listed twice")
        found[name] = frozenset(entry["groups"])
    return found


def user_name(namespace: str, name: str) -> str:
    """The user name of a ServiceAccount at the API server."""
    return f"system:serviceaccount:{namespace}:{name}"


def _faults(entry: Any) -> Iterator[str]:
    if not isinstance(entry, dict) or entry.keys() != set(_FIELDS):
        yield f"expected the fields {', '.join(_FIELDS)} and no others"
        return
    namespace, name, groups = (entry[field] for field in _FIELDS)
    if not isinstance(namespace, str) or not is_namespace(namespace):
        yield f"invalid namespace: expected {NAMESPACE_FORM}"
    elif not isinstance(name, str) or not is_name(name):
        yield f"invalid name: expected {NAME_FORM}"
    elif len(user_name(namespace, name)) > MAX_TEXT:
        yield f"its user name is longer than {MAX_TEXT} characters"
    elif not isinstance(groups, list) or not all(is_text(each, MAX_GROUP) for each in groups):
        yield f"groups is not a list of printable texts of 1 to {MAX_GROUP} characters"
