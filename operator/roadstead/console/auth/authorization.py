"""Sign-in at an OpenID provider: requests, and validation of responses (pure).

The authorization code flow with PKCE (RFC 7636), state and nonce (OpenID Connect Core 1.0, 3.1),
and the issuer in the response (RFC 9207).
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Final, Self
from urllib.parse import urlencode

from roadstead.errors import InvalidToken
from roadstead.tokens.parsing import parse

COOKIE: Final = "__Host-roadstead-oidc"
"""The cookie of a sign-in in progress; the state is only in the browser."""
LIFETIME_SECONDS: Final = 600
_FIELDS: Final = ("state", "nonce", "verifier", "target")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoginAttempt:
    """A sign-in in progress; `target` is the page to open afterwards."""

    state: str
    nonce: str = dataclasses.field(repr=False)
    verifier: str = dataclasses.field(repr=False)
    target: str

    @classmethod
    def begin(cls, target: str) -> Self:
        """Start a sign-in."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state=state, nonce=nonce, verifier=verifier, target=target)

    def cookie(self) -> str:
        """Encode the attempt as the value of a cookie."""
        return base64.urlsafe_b64encode(json.dumps(vars(self)).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Decode the value of a cookie; None if it is invalid."""
        try:
            found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            fields = {name: found[name] for name in _FIELDS}
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        # `begin` writes ASCII alone; other text could be neither compared nor encoded.
        texts = all(isinstance(each, str) and each.isascii() for each in fields.values())
        return cls(**fields) if texts else None

    def challenge(self) -> str:
        """Return the code challenge of PKCE, method S256."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def authorization_url(
    endpoint: str, attempt: LoginAttempt, *, client: str, redirect: str, scopes: str
) -> str:
    """Return the URL at the provider to which the browser is redirected."""
    query = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": redirect,
        "scope": scopes,
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": attempt.challenge(),
        "code_challenge_method": "S256",
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def code_of(query: Mapping[str, str], attempt: LoginAttempt, *, issuer: str) -> str:
    """Return the code in the provider's response; InvalidToken if the response is invalid."""
    if not hmac.compare_digest(query.get("state", "").encode(), attempt.state.encode()):
        message = "the response belongs to another sign-in; start again"
        raise InvalidToken(message, reason="SignInState")
    if query.get("iss", issuer) != issuer:
        raise InvalidToken("the response is from another issuer", reason="SignInIssuer")
    if "error" in query:
        message = f"the provider refused the sign-in: {_excerpt(query['error'])}"
        raise InvalidToken(message, reason="SignInRefused")
    if not query.get("code"):
        raise InvalidToken("the provider's response has no code", reason="SignInRefused")
    return query["code"]


def unknown_sign_in() -> InvalidToken:
    """The error for a browser without a sign-in in progress."""
    message = "no sign-in was started in this browser, or it has expired; start again"
    return InvalidToken(message, reason="SignInUnknown")


def check_nonce(id_token: str, attempt: LoginAttempt) -> None:
    """Raise InvalidToken unless the valid token was issued for this sign-in."""
    nonce = parse(id_token).claims.get("nonce")
    given = nonce.encode() if isinstance(nonce, str) else b""
    if not hmac.compare_digest(given, attempt.nonce.encode()):
        raise InvalidToken("the token was issued for another sign-in", reason="SignInNonce")


def _excerpt(text: str) -> str:
    """Return the printable part of an untrusted error code."""
    return "".join(letter for letter in text[:60] if letter.isalnum() or letter in "_-") or "?"
