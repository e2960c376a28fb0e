"""Restorers: named identities that may create objects from a backup, for a limited time."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from roadstead.errors import InvalidSettings
from roadstead.settings import EnvReader
from roadstead_webhooks.admission.service_accounts import user_name

_VARIABLE: Final = "ROADSTEAD_RESTORERS"
_FORM: Final = (
    'expected a list such as [{"serviceAccount": {"namespace": "velero", "name": "velero"}, '
    '"until": "2030-01-31T18:00:00Z"}], or with "user" in place of "serviceAccount"'
)
MOST_RESTORERS: Final = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restorer:
    """A user name, as the API server states it, that may restore objects before `until`."""

    username: str
    until: datetime.datetime
    """With a time zone."""

    def is_over(self, now: datetime.datetime) -> bool:
        """Whether its time is over."""
        return now >= self.until


def find_restorer(restorers: Iterable[Restorer], username: str) -> Restorer | None:
    """Return the entry of this user name with the latest time; None without one."""
    found = (each for each in restorers if each.username == username != "")
    return max(found, key=lambda each: each.until, default=None)


def read_restorers(env: EnvReader) -> tuple[Restorer, ...]:
    """Read the restorers from a JSON list in the environment; faults are added to `env`."""
    text = env.text(_VARIABLE, "[]")
    try:
        entries = json.loads(text)
        if not isinstance(entries, list) or len(entries) > MOST_RESTORERS:
            raise InvalidSettings(f"is no list of at most {MOST_RESTORERS} restorers: {_FORM}")
        return tuple(_restorer(entry) for entry in entries)
    except InvalidSettings as error:
        env.fault(_VARIABLE, str(error))
    except ValueError:
        env.fault(_VARIABLE, f"is no JSON: {_FORM}")
    return ()


def _restorer(entry: object) -> Restorer:
    if not isinstance(entry, dict) or len(entry) != 2 or "until" not in entry:
        raise InvalidSettings(f"invalid entry: {_FORM}")
    return Restorer(username=_username(entry), until=_until(entry["until"]))


def _username(entry: Mapping[str, Any]) -> str:
    account = entry.get("serviceAccount")
    if isinstance(account, dict) and len(account) == 2:
        namespace, name = account.get("namespace"), account.get("name")
        if isinstance(namespace, str) and isinstance(name, str) and namespace and name:
            return user_name(namespace, name)
    user = entry.get("user")
    if isinstance(user, str) and user:
        return user
    raise InvalidSettings(f"an entry names nobody: {_FORM}")


def _until(value: object) -> datetime.datetime:
    """Return an RFC 3339 time; raises InvalidSettings, also for one without a time zone."""
    try:
        found = datetime.datetime.fromisoformat(str(value).upper())
    except ValueError:
        raise InvalidSettings(f"until is no time of RFC 3339: {_FORM}") from None
    if found.tzinfo is None:
        raise InvalidSettings(f"until has no time zone: {_FORM}")
    return found.astimezone(datetime.UTC)
