"""Revoked tokens, subjects and sessions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from roadstead.tokens.claims import Claims
from roadstead.tokens.ended_sessions import SIGNED_OUT
from roadstead.tokens.sessions import read_ended, session_id


@dataclasses.dataclass(frozen=True, kw_only=True)
class Revocations:
    """Revoked token ids (`jti`) and subjects (`sub`), of every issuer, and ended sessions."""

    token_ids: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    sessions: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, data: Mapping[str, str]) -> Revocations:
        """Parse a ConfigMap's `data`: keys `jti` and `sub`, one entry per line, `#` for comments.

        The console writes the key SIGNED_OUT, administrators write the others.
        """
        return cls(
            token_ids=_entries(data.get("jti", "")),
            subjects=_entries(data.get("sub", "")),
            sessions=frozenset(read_ended(data.get(SIGNED_OUT, ""))),
        )

    def why(self, claims: Claims) -> str | None:
        """Return why the token is refused, or None: the `revoked` of a TokenVerifier."""
        if claims.subject in self.subjects:
            return "the subject's tokens are revoked"
        if claims.token_id and claims.token_id in self.token_ids:
            return "the token is revoked"
        if self.sessions and session_id(claims) in self.sessions:
            return "the token was signed out in the console"
        return None


def _entries(text: str) -> frozenset[str]:
    lines = (line.strip() for line in text.splitlines())
    return frozenset(line for line in lines if line and not line.startswith("#"))
