"""Who may ask the webhooks: the API server alone.

It is known by the client certificate that its AdmissionConfiguration gives it, or else by a path
with a secret that only the webhook configurations and the webhooks hold.
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
from roadstead_webhooks.mounted import files_of

VARIABLE: Final = "secret"
"""The variable part of the paths, after `/mutate/` and `/validate/`."""
_ACTIVATION: Final = re.compile(r"[0-9]{1,12}")
_SECRET_FORM: Final = re.compile(r"[0-9a-f]{64}")


class Callers(Protocol):
    """Tells the API server from everybody else."""

    def believes(self, http: web.Request) -> bool:
        """Whether the request is the API server's; its body is not read yet."""

    def reload(self) -> bool:
        """Read what has changed; whether anything had. Raises InvalidSettings."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReviewPaths:
    """The secret parts of paths, by the time (seconds since 1970) from which they are in use."""

    secrets: tuple[tuple[int, str], ...] = ()
    """The oldest first."""

    @classmethod
    def parse(cls, files: Mapping[str, bytes]) -> ReviewPaths:
        """Of a Secret's files, `<activation>`; what has another form is left out."""
        texts = {name: content.decode("ascii", "replace") for name, content in files.items()}
        found = (
            (int(name), text)
            for name, text in texts.items()
            if _ACTIVATION.fullmatch(name) and _SECRET_FORM.fullmatch(text)
        )
        return cls(secrets=tuple(sorted(found)))


class PathCallers:
    """Believes whoever knows one of the secrets of a folder, those not in use yet included."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.secrets = self._read()
        """Those that are believed."""

    def believes(self, http: web.Request) -> bool:
        """As in Callers; how long it takes says nothing of how much of a secret is right."""
        given = http.match_info.get(VARIABLE, "").encode("utf-8", "replace")
        return any(hmac.compare_digest(given, secret) for secret in self.secrets)

    def reload(self) -> bool:
        """As in Callers; the secrets stay as they are where the folder can't be read."""
        before, self.secrets = self.secrets, self._read()
        return before != self.secrets

    def _read(self) -> tuple[bytes, ...]:
        secrets = ReviewPaths.parse(files_of(self._folder)).secrets
        if not secrets:
            raise InvalidSettings(
                f"{self._folder} holds no secret of the webhooks' paths: name a Secret for them in "
                "ROADSTEAD_REVIEW_PATHS_SECRET, write a file 0 of 64 hexadecimal digits, or set "
                "ROADSTEAD_API_SERVER_CA_FILE"
            )
        return tuple(secret.encode() for _, secret in secrets)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CertifiedCallers:
    """Believes the certificates that TLS has verified, if they have one of these common names."""

    names: frozenset[str]

    def believes(self, http: web.Request) -> bool:
        """As in Callers."""
        transport = http.transport
        certificate = transport.get_extra_info("peercert") if transport else None
        return bool(_common_names(certificate or {}) & self.names)

    def reload(self) -> bool:
        """As in Callers: nothing changes while the process runs."""
        return False


def _common_names(certificate: Mapping[str, Any]) -> frozenset[str]:
    """Of a certificate's subject, in the form of `ssl.SSLSocket.getpeercert`."""
    parts = (pair for names in certificate.get("subject", ()) for pair in names)
    return frozenset(value for key, value in parts if key == "commonName")
