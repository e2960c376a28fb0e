"""Parses the ledger's DSN, a URL of libpq; translates or refuses what asyncpg does not support.

asyncpg sends unknown parameters to Postgres as settings, and reads the CA file from the home
directory, which pods don't have.
Source: PostgreSQL's documentation, "Connection Strings" and "Parameter Key Words".
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, urlencode

from roadstead.errors import LedgerError
from roadstead.ledger.postgres_tls import PARAMETERS, Tls

EXAMPLE: Final = "postgresql://user:password@host:5432/roadstead?sslmode=verify-full"
_SCHEME: Final = re.compile(r"postgres(?:ql)?://")
_KEYWORDS: Final = re.compile(r"[a-z_]{1,40}\s{0,9}=")
_SECONDS: Final = re.compile(r"[0-9]{1,6}")

_PASSED: Final = frozenset(
    {"host", "port", "user", "password", "dbname", "target_session_attrs", "sslnegotiation"}
)
"""Parameters that asyncpg reads as libpq does."""
_WITHOUT_EFFECT: Final[Mapping[str, frozenset[str]]] = {
    "channel_binding": frozenset({"prefer", "disable"}),
    "gssencmode": frozenset({"prefer", "disable"}),
    "client_encoding": frozenset({"auto", "utf8", "UTF8"}),
    "keepalives": frozenset({"1"}),
    "sslcompression": frozenset({"0"}),
    "sslsni": frozenset({"1"}),
}
"""By name, the values without effect."""
_ADVICE: Final[Mapping[str, str]] = {
    "channel_binding": "write sslmode=verify-full instead: the driver lacks channel binding",
    "gssencmode": "write sslmode=verify-full instead: the driver does not support GSSAPI",
    "client_encoding": "remove it: the encoding is always UTF8",
    "hostaddr": "write the address as the host",
    "passfile": "write the password in the URL",
    "service": "write the settings of the service file in the URL",
    "sslcrl": "remove it: revocation lists are not read",
    "sslcrldir": "remove it: revocation lists are not read",
}
_DEFAULT_ADVICE: Final = "remove it"
_UNSUPPORTED: Final = frozenset(
    {
        *("gssdelegation", "gsslib", "krbsrvname", "require_auth", "requirepeer", "servicefile"),
        *("keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval"),
        *("load_balance_hosts", "max_protocol_version", "min_protocol_version", "replication"),
        *("oauth_client_id", "oauth_client_secret", "oauth_issuer", "oauth_scope"),
        *("scram_client_key", "scram_server_key", "sslcertmode", "sslcompression"),
        *("sslkeylogfile", "sslsni", "tcp_user_timeout"),
    }
)
"""Other parameters of libpq, which are not supported."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dsn:
    """The ledger's address, and how to connect."""

    url: str = dataclasses.field(repr=False)
    """With the password, and the parameters that asyncpg reads."""
    tls: Tls
    settings: Mapping[str, str]
    """Postgres's settings for the session."""
    connect_seconds: float | None
    """The timeout of connecting; None if the DSN has none."""


def parse_dsn(text: str) -> Dsn:
    """Parse a DSN. LedgerError (`DsnInvalid`) says what to write, and never quotes it."""
    _check_form(text)
    address, _, query = text.partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    for name, value in given.items():
        _check_parameter(name, value)
    passed = {name: value for name, value in given.items() if name in _PASSED}
    return Dsn(
        url=f"{address}?{urlencode(passed)}" if passed else address,
        tls=Tls.parse({name: value for name, value in given.items() if name in PARAMETERS}),
        settings=MappingProxyType(_settings(given)),
        connect_seconds=_seconds(given.get("connect_timeout", "0")),
    )


def invalid(message: str) -> LedgerError:
    """The error of an invalid DSN."""
    return LedgerError(message, reason="DsnInvalid")


def _check_form(text: str) -> None:
    if text.startswith("jdbc:"):
        raise invalid(f"the DSN is a JDBC URL: write {EXAMPLE}")
    if _KEYWORDS.match(text):
        raise invalid(f"the DSN is in libpq's keyword/value format: write {EXAMPLE}")
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise invalid(f"the DSN is not a URL: write {EXAMPLE}")
    if _has_unescaped_character(text[scheme.end() :]):
        raise invalid(
            "the DSN is ambiguous: in the user's name and the password, write "
            "@ : / ? # % as %40 %3A %2F %3F %23 %25"
        )


def _has_unescaped_character(rest: str) -> bool:
    """Whether an unescaped character in the user or password ends the authority."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    after = rest[len(authority) :]
    named = re.match(r"[^?#]*", after)
    path = named[0] if named else ""
    query = after[len(path) :]
    return (
        authority.count("@") > 1
        or "@" in path
        or ("@" in query and "@" not in authority)
        or "#" in rest
    )


def _check_parameter(name: str, value: str) -> None:
    if name in _PASSED | PARAMETERS | {"connect_timeout", "application_name", "options"}:
        return
    if value in _WITHOUT_EFFECT.get(name, ()) or name == "fallback_application_name":
        return
    if name in _ADVICE or name in _UNSUPPORTED or name in _WITHOUT_EFFECT:
        advice = _ADVICE.get(name, _DEFAULT_ADVICE)
        raise invalid(f"the DSN's parameter {name} is not supported: {advice}")
    raise invalid(
        f"the DSN's parameter {name[:40]!r} is not a parameter of libpq: write a setting of "
        "Postgres as options=-c%20name%3Dvalue"
    )


def _settings(given: Mapping[str, str]) -> dict[str, str]:
    named = given.get("application_name", "roadstead")
    options = {"options": given["options"]} if given.get("options") else {}
    return {"application_name": named, "timezone": "UTC", **options}


def _seconds(text: str) -> float | None:
    if not _SECONDS.fullmatch(text):
        raise invalid(
            "the DSN's connect_timeout is not a number of seconds: write a number such as 5"
        )
    # For libpq, 0 is no timeout, and 1 second is 2.
    return max(float(text), 2.0) if int(text) else None
