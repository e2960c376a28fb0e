"""TLS to Postgres: the parameters of a DSN, and the SSL context for them.

Source: PostgreSQL's documentation, "SSL Support" of libpq.
"""

from __future__ import annotations

import dataclasses
import enum
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from roadstead.authorities import Authorities
from roadstead.errors import InvalidSettings, LedgerError

PARAMETERS: Final = frozenset(
    {
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "sslpassword",
        "ssl_min_protocol_version",
        "ssl_max_protocol_version",
    }
)
SYSTEM: Final = "system"
_PROTOCOL: Final = "postgresql"
"""The ALPN protocol: Postgres 17 refuses others."""
_VERSIONS: Final[Mapping[str, ssl.TLSVersion]] = {
    "": ssl.TLSVersion.TLSv1_2,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


class Mode(enum.StrEnum):
    """`sslmode`."""

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


Optional = Literal["disable", "allow", "prefer"]
_OPTIONAL: Final[Mapping[Mode, Optional]] = {
    Mode.DISABLE: "disable",
    Mode.ALLOW: "allow",
    Mode.PREFER: "prefer",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tls:
    """A DSN's TLS parameters. Relative paths of files are relative to the DSN's file."""

    mode: Mode
    root: str
    """The CA file; `system` and empty mean the authorities that the process trusts."""
    certificate: str
    key: str
    password: str = dataclasses.field(repr=False)
    oldest: ssl.TLSVersion
    newest: ssl.TLSVersion

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Tls:
        """Parse the DSN's parameters; LedgerError (`DsnInvalid`) for contradictions."""
        mode, root = _mode(given.get("sslmode", "")), given.get("sslrootcert", "")
        files = [name for name in ("sslrootcert", "sslcert", "sslkey") if given.get(name)]
        if files and mode in _OPTIONAL:
            raise _invalid(f"{files[0]} has no effect with sslmode={mode}: write verify-full")
        if root == SYSTEM and mode is not Mode.VERIFY_FULL:
            raise _invalid(f"sslrootcert=system with sslmode={mode}: write sslmode=verify-full")
        if root and mode is Mode.REQUIRE:
            mode = Mode.VERIFY_CA
        return cls(
            mode=mode,
            root=root,
            certificate=given.get("sslcert", ""),
            key=given.get("sslkey", ""),
            password=given.get("sslpassword", ""),
            oldest=_version(given, "ssl_min_protocol_version"),
            newest=_version(given, "ssl_max_protocol_version", otherwise=ssl.TLSVersion.TLSv1_3),
        )

    def context(self, folder: Path, authorities: Authorities) -> ssl.SSLContext | Optional:
        """Return the value for asyncpg's `ssl`: a context, or the mode if TLS is optional.

        The server's certificate is verified with the DSN's CA file, or else with `authorities`.

        LedgerError (`DsnInvalid`) for a missing or invalid file.
        """
        if self.mode in _OPTIONAL:
            return _OPTIONAL[self.mode]
        context = self._trusting(folder, authorities)
        context.check_hostname = self.mode is Mode.VERIFY_FULL
        context.verify_mode = ssl.CERT_NONE if self.mode is Mode.REQUIRE else ssl.CERT_REQUIRED
        context.minimum_version, context.maximum_version = self.oldest, self.newest
        context.set_alpn_protocols([_PROTOCOL])
        self._load_certificate(context, folder)
        return context

    def _trusting(self, folder: Path, authorities: Authorities) -> ssl.SSLContext:
        """Return a new context with the authorities; a DSN's own CA file is the only one then."""
        own = None if self.root in ("", SYSTEM) else folder / self.root
        try:
            return Authorities.of_file(own, otherwise=authorities).new_context()
        except InvalidSettings as error:
            raise _invalid(f"sslrootcert: {error}") from None

    def _load_certificate(self, context: ssl.SSLContext, folder: Path) -> None:
        if not self.certificate:
            return
        path = folder / self.certificate
        key = folder / self.key if self.key else None
        try:
            context.load_cert_chain(path, key, lambda: self.password)
        except (OSError, ssl.SSLError) as error:
            raise _unreadable("sslcert", path, error, "a certificate with its sslkey") from None


def _mode(text: str) -> Mode:
    try:
        return Mode(text or Mode.PREFER)
    except ValueError:
        raise _invalid(f"sslmode is invalid: expected one of {', '.join(Mode)}") from None


def _version(
    given: Mapping[str, str], name: str, otherwise: ssl.TLSVersion = _VERSIONS[""]
) -> ssl.TLSVersion:
    text = given.get(name, "")
    if text not in _VERSIONS:
        raise _invalid(f"{name} is invalid: expected TLSv1.2 or TLSv1.3")
    return _VERSIONS[text] if text else otherwise


def _unreadable(name: str, path: Path, error: OSError, form: str) -> LedgerError:
    if isinstance(error, ssl.SSLError):
        return _invalid(f"{name}: {path} does not contain {form}")
    return _invalid(f"{name}: {path} can't be read: {error.strerror}")


def _invalid(message: str) -> LedgerError:
    return LedgerError(f"the DSN's {message}", reason="DsnInvalid")
