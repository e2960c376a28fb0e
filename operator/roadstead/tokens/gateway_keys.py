"""The credentials that operator and forward auth derive from their shared key.

Each use has its own label in HMAC-SHA256 (RFC 2104), so a credential for one use or one server
reveals nothing about another, nor about the key.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import re
from pathlib import Path
from typing import Final

from roadstead.errors import InvalidSettings
from roadstead.tokens.keys import trim_line_end

MIN_BYTES: Final = 32
PROBE_SCHEME: Final = "Roadstead-Probe"
"""The scheme of a probe credential in the header Authorization."""
PROBE_SECONDS: Final = 60
_PROBE_LEEWAY: Final = 30
"""In seconds, for clocks that differ."""
_PROBE: Final = re.compile(r"([0-9]{1,12})\.[A-Za-z0-9_-]{43}")


@dataclasses.dataclass(frozen=True)
class GatewayKey:
    """The key of one installation: at least 32 bytes, from the gateway's Secret."""

    secret: bytes = dataclasses.field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_BYTES:
            count = len(self.secret)
            message = f"the gateway's key has {count} bytes; at least {MIN_BYTES} are required"
            raise InvalidSettings(message)

    @classmethod
    def read(cls, path: Path) -> GatewayKey:
        """Read a file, without its trailing line end; raises InvalidSettings if there is no key."""
        try:
            return cls(trim_line_end(path.read_bytes()))
        except OSError as error:
            message = f"the gateway's key {path} can't be read: {error.strerror}"
            raise InvalidSettings(message) from None

    def server_key(self, server_uuid: str) -> str:
        """Return the API key of one llama-server: 43 characters of base64url."""
        return self._derive("server-key", server_uuid)

    def probe(self, server_uuid: str, *, now: int) -> str:
        """Return a credential for a server's /health, valid for 60 s from `now` (since 1970)."""
        return self._make_probe(server_uuid, now + PROBE_SECONDS)

    def is_probe(self, text: str, server_uuid: str, *, now: int) -> bool:
        """Whether `text` is from `probe` for this server and still valid at `now`."""
        match = _PROBE.fullmatch(text)
        if match is None:
            return False
        expires = int(match[1])
        is_current = now - _PROBE_LEEWAY < expires <= now + PROBE_SECONDS + _PROBE_LEEWAY
        return is_current and hmac.compare_digest(text, self._make_probe(server_uuid, expires))

    def _make_probe(self, server_uuid: str, expires: int) -> str:
        return f"{expires}.{self._derive('probe', f'{server_uuid} {expires}')}"

    def _derive(self, use: str, subject: str) -> str:
        message = f"roadstead {use} v1\0{subject}".encode()
        digest = hmac.digest(self.secret, message, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
