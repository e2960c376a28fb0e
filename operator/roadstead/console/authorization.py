"""Signing in at an OpenID provider: what is sent, what comes back, and what of it holds (pure).

The authorization code flow with PKCE (RFC 7636), state and nonce (OpenID Connect Core 1.0, 3.1),
and the issuer in the answer (RFC 9207).
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
"""What a sign-in that is under way is known by: in the browser alone."""
LIFETIME_SECONDS: Final = 600
_FIELDS: Final = ("state", "nonce", "verifier", "target")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoginAttempt:
    """One that has begun; `target` is where to go afterwards."""

    state: str
    nonce: str = dataclasses.field(repr=False)
    verifier: str = dataclasses.field(repr=False)
    target: str

    @classmethod
    def begin(cls, target: str) -> Self:
        """A new one."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state=state, nonce=nonce, verifier=verifier, target=target)

    def cookie(self) -> str:
        """As text that a cookie can hold."""
        return base64.urlsafe_b64encode(json.dumps(vars(self)).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The inverse of `cookie`; None for what is none."""
        try:
            found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            fields = {name: found[name] for name in _FIELDS}
        except (ValueError, KeyError, TypeError):
            return None
        return cls(**fields) if all(isinstance(each, str) for each in fields.values()) else None

    def challenge(self) -> str:
        """Of PKCE, by S256."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def authorization_url(
    endpoint: str, attempt: LoginAttempt, *, client: str, redirect: str, scopes: str
) -> str:
    """Where the browser is sent."""
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
    """The code that the provider sends the browser back with; InvalidToken says why it is none."""
    if not hmac.compare_digest(query.get("state", "").encode(), attempt.state.encode()):
        message = "the answer belongs to another sign-in; begin again"
        raise InvalidToken(message, reason="SignInState")
    if query.get("iss", issuer) != issuer:
        raise InvalidToken("the answer is of another issuer", reason="SignInIssuer")
    if "error" in query:
        message = f"the provider refused: {_shown(query['error'])}"
        raise InvalidToken(message, reason="SignInRefused")
    if not query.get("code"):
        raise InvalidToken("the provider sent no code", reason="SignInRefused")
    return query["code"]


def unknown() -> InvalidToken:
    """What is said where a browser comes back without having been sent."""
    message = "no sign-in has begun in this browser, or it was too long ago; begin again"
    return InvalidToken(message, reason="SignInUnknown")


def check_nonce(id_token: str, attempt: LoginAttempt) -> None:
    """InvalidToken unless the token, which holds, was made for this sign-in."""
    said = parse(id_token).claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said, attempt.nonce):
        raise InvalidToken("the token was made for another sign-in", reason="SignInNonce")


def _shown(text: str) -> str:
    """An error's code, of which nobody knows who wrote it."""
    return "".join(letter for letter in text[:60] if letter.isalnum() or letter in "_-") or "?"
