"""What operator and forward auth derive from the one key that they share.

Each use has its own label under HMAC-SHA256 (RFC 2104), so that what is derived for one use or one
server says nothing of another, nor of the key.
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
from roadstead.tokens.keys import trimmed

MIN_BYTES: Final = 32
PROBE_SCHEME: Final = "Roadstead-Probe"
"""Before a probe credential in the header Authorization."""
PROBE_SECONDS: Final = 60
_PROBE_LEEWAY: Final = 30
"""For clocks that differ, as with tokens."""
_PROBE: Final = re.compile(r"([0-9]{1,12})\.[A-Za-z0-9_-]{43}")


@dataclasses.dataclass(frozen=True)
class GatewayKey:
    """The key of one installation: 32 bytes at least, from the Secret of the gateway."""

    secret: bytes = dataclasses.field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_BYTES:
            count = len(self.secret)
            message = f"the gateway's key has {count} bytes; it needs {MIN_BYTES} at least"
            raise InvalidSettings(message)

    @classmethod
    def read(cls, path: Path) -> GatewayKey:
        """Of a file, without the line end behind it; InvalidSettings if there is no such key."""
        try:
            return cls(trimmed(path.read_bytes()))
        except OSError as error:
            message = f"the gateway's key {path} can't be read: {error.strerror}"
            raise InvalidSettings(message) from None

    def server_key(self, server_uuid: str) -> str:
        """The API key of one llama-server: 43 characters of base64url."""
        return self._derived("server-key", server_uuid)

    def probe(self, server_uuid: str, *, now: int) -> str:
        """A credential for one server's /health, good for 60 s from `now` (seconds since 1970)."""
        return self._probe(server_uuid, now + PROBE_SECONDS)

    def is_probe(self, text: str, server_uuid: str, *, now: int) -> bool:
        """Whether `text` is what `probe` made for this server, and still good at `now`."""
        match = _PROBE.fullmatch(text)
        if match is None:
            return False
        expires = int(match[1])
        good = now - _PROBE_LEEWAY < expires <= now + PROBE_SECONDS + _PROBE_LEEWAY
        return good and hmac.compare_digest(text, self._probe(server_uuid, expires))

    def _probe(self, server_uuid: str, expires: int) -> str:
        return f"{expires}.{self._derived('probe', f'{server_uuid} {expires}')}"

    def _derived(self, use: str, subject: str) -> str:
        message = f"roadstead {use} v1\0{subject}".encode()
        digest = hmac.digest(self.secret, message, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
