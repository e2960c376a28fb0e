"""The ledger's DSN: a URL as libpq has it. What asyncpg does not know is translated, or refused.

asyncpg sends every parameter that it does not know to Postgres as a setting, and looks for the
authority of Postgres's certificate in the home directory, which no pod has.
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
"""What asyncpg reads as libpq does."""
_WITHOUT_EFFECT: Final[Mapping[str, frozenset[str]]] = {
    "channel_binding": frozenset({"prefer", "disable"}),
    "gssencmode": frozenset({"prefer", "disable"}),
    "client_encoding": frozenset({"auto", "utf8", "UTF8"}),
    "keepalives": frozenset({"1"}),
    "sslcompression": frozenset({"0"}),
    "sslsni": frozenset({"1"}),
}
"""By name, the values that change nothing."""
_ADVICE: Final[Mapping[str, str]] = {
    "channel_binding": "write sslmode=verify-full instead: the driver can't bind channels",
    "gssencmode": "write sslmode=verify-full instead: the driver knows no GSSAPI",
    "client_encoding": "leave it out: it is always UTF8",
    "hostaddr": "write the address in the place of the host",
    "passfile": "write the password in the URL",
    "service": "write what the service file has in the URL",
    "sslcrl": "leave it out: lists of revoked certificates are not read",
    "sslcrldir": "leave it out: lists of revoked certificates are not read",
}
_NEEDLESS: Final = "leave it out"
_OF_LIBPQ: Final = frozenset(
    {
        *("gssdelegation", "gsslib", "krbsrvname", "require_auth", "requirepeer", "servicefile"),
        *("keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval"),
        *("load_balance_hosts", "max_protocol_version", "min_protocol_version", "replication"),
        *("oauth_client_id", "oauth_client_secret", "oauth_issuer", "oauth_scope"),
        *("scram_client_key", "scram_server_key", "sslcertmode", "sslcompression"),
        *("sslkeylogfile", "sslsni", "tcp_user_timeout"),
    }
)
"""Others that it knows, and nothing comes of here."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dsn:
    """Where the ledger is, and how it is reached."""

    url: str = dataclasses.field(repr=False)
    """With the password, and with what asyncpg reads itself."""
    tls: Tls
    settings: Mapping[str, str]
    """Postgres's own, for the session."""
    connect_seconds: float | None
    """The longest that a connection may take; None where the DSN does not say."""


def parse_dsn(text: str) -> Dsn:
    """The DSN in a text. LedgerError (`DsnInvalid`) says what to write, and never quotes it."""
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
    """Of a DSN that is none."""
    return LedgerError(message, reason="DsnInvalid")


def _check_form(text: str) -> None:
    if text.startswith("jdbc:"):
        raise invalid(f"the DSN is one for Java: write {EXAMPLE}")
    if _KEYWORDS.match(text):
        raise invalid(f"the DSN has libpq's form of keywords and values: write {EXAMPLE}")
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise invalid(f"the DSN is no URL: write {EXAMPLE}")
    if _is_cut_short(text[scheme.end() :]):
        raise invalid(
            "the DSN can't be taken apart: in the user's name and the password, write "
            "@ : / ? # % as %40 %3A %2F %3F %23 %25"
        )


def _is_cut_short(rest: str) -> bool:
    """Whether a character of the password ends the part that it stands in."""
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
    if name in _ADVICE or name in _OF_LIBPQ or name in _WITHOUT_EFFECT:
        advice = _ADVICE.get(name, _NEEDLESS)
        raise invalid(f"the DSN's parameter {name} is not supported: {advice}")
    raise invalid(
        f"the DSN's parameter {name[:40]!r} is none of libpq's: a setting of Postgres is written "
        "as options=-c%20name%3Dvalue"
    )


def _settings(given: Mapping[str, str]) -> dict[str, str]:
    named = given.get("application_name", "roadstead")
    options = {"options": given["options"]} if given.get("options") else {}
    return {"application_name": named, "timezone": "UTC", **options}


def _seconds(text: str) -> float | None:
    if not _SECONDS.fullmatch(text):
        raise invalid("the DSN's connect_timeout is no number of seconds: write, say, 5")
    # Zero is without a bound, and one second is two, for libpq.
    return max(float(text), 2.0) if int(text) else None
