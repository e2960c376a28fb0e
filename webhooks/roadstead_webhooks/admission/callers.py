"""Authentication of the API server, the only caller of the webhooks.

It is recognized by the client certificate in its AdmissionConfiguration, or else by a secret in the
path that only the webhook configurations and the webhooks have.
"""

from __future__ import annotations

import dataclasses
import hmac
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from aiohttp import web

from roadstead.errors import InvalidSettings
from roadstead_webhooks.mounted import read_files

VARIABLE: Final = "secret"
"""The variable of the paths, after `/mutate/` and `/validate/`."""
_ACTIVATION: Final = re.compile(r"[0-9]{1,12}")
_SECRET_FORM: Final = re.compile(r"[0-9a-f]{64}")


class Callers(Protocol):
    """Distinguishes the API server from other callers."""

    def trusts(self, http: web.Request) -> bool:
        """Return whether the API server sent the request, before its body is read."""

    def reload(self) -> bool:
        """Read the credentials again and return whether they changed. Raises InvalidSettings."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReviewPaths:
    """The secrets in the webhooks' paths, by their time of activation in seconds since 1970."""

    secrets: tuple[tuple[int, str], ...] = ()
    """Oldest first."""

    @classmethod
    def parse(cls, files: Mapping[str, bytes]) -> ReviewPaths:
        """Parse a Secret's files, named `<activation>`; files of another form are skipped."""
        texts = {name: content.decode("ascii", "replace") for name, content in files.items()}
        found = (
            (int(name), text)
            for name, text in texts.items()
            if _ACTIVATION.fullmatch(name) and _SECRET_FORM.fullmatch(text)
        )
        return cls(secrets=tuple(sorted(found)))


class PathCallers:
    """Trusts callers that know any secret of a folder, including secrets not yet active."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.secrets = self._read()
        """The accepted secrets."""

    def trusts(self, http: web.Request) -> bool:
        """As in Callers, in constant time for each secret."""
        given = http.match_info.get(VARIABLE, "").encode("utf-8", "replace")
        return any(hmac.compare_digest(given, secret) for secret in self.secrets)

    def reload(self) -> bool:
        """As in Callers; keeps the secrets if the folder can't be read."""
        before, self.secrets = self.secrets, self._read()
        return before != self.secrets

    def _read(self) -> tuple[bytes, ...]:
        secrets = ReviewPaths.parse(read_files(self._folder)).secrets
        if not secrets:
            raise InvalidSettings(
                f"{self._folder} contains no secret for the webhooks' paths: set "
                "ROADSTEAD_REVIEW_PATHS_SECRET to the name of a Secret, create a file named 0 with "
                "64 hexadecimal digits, or set ROADSTEAD_API_SERVER_CA_FILE"
            )
        return tuple(secret.encode() for _, secret in secrets)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CertifiedCallers:
    """Trusts callers whose client certificate, verified by TLS, has one of these common names."""

    names: frozenset[str]

    def trusts(self, http: web.Request) -> bool:
        """As in Callers."""
        transport = http.transport
        certificate = transport.get_extra_info("peercert") if transport else None
        return bool(_common_names(certificate or {}) & self.names)

    def reload(self) -> bool:
        """As in Callers; nothing changes while the process runs."""
        return False


def _common_names(certificate: Mapping[str, Any]) -> frozenset[str]:
    """Return the common names of a certificate as `ssl.SSLSocket.getpeercert` returns it."""
    parts = (pair for names in certificate.get("subject", ()) for pair in names)
    return frozenset(value for key, value in parts if key == "commonName")
