"""The list of sessions that were signed out of: bounded, and no entry makes way for another."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final, Self

from roadstead.errors import SignOutRefused
from roadstead.tokens.claims import Claims
from roadstead.tokens.sessions import owner_id, read_ended, session_id, write_ended

SIGNED_OUT: Final = "signed-out"
"""The key of a ConfigMap's `data` with the sessions; those who verify tokens read it."""
SIGNED_OUT_BY: Final = "signed-out-by"
"""The key with whose each session is, by which they are counted."""
MAX_SESSIONS: Final = 8000
"""108 bytes each in both keys: a ConfigMap holds 1 MiB."""
MAX_SESSIONS_OF_ONE: Final = 50
_SHORT: Final = 12
"""Hex digits of a session's id in SIGNED_OUT_BY."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EndedSessions:
    """Sessions that a token could still open: `until` in seconds since 1970, by id.

    `owners` are ids of subjects by the beginning of a session's id; those of sessions that older
    versions wrote are not known.
    """

    until: Mapping[str, int]
    owners: Mapping[str, str]

    @classmethod
    def parse(cls, data: Mapping[str, str], *, now: int) -> Self:
        """Of a ConfigMap's `data`, without what has expired at `now`, seconds since 1970."""
        every = read_ended(data.get(SIGNED_OUT, ""))
        until = {session: end for session, end in every.items() if end > now}
        known = {session[:_SHORT] for session in until}
        pairs = (line.split() for line in data.get(SIGNED_OUT_BY, "").splitlines())
        owners = {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[0] in known}
        return cls(until=until, owners=owners)

    def add(self, claims: Claims, *, until: int) -> EndedSessions:
        """With one more session; SignOutRefused where the subject, or all, have too many."""
        session, owner = session_id(claims), owner_id(claims)
        if session not in self.until:
            self._check_room(owner)
        return EndedSessions(
            until={**self.until, session: until},
            owners={**self.owners, session[:_SHORT]: owner},
        )

    def data(self) -> dict[str, str]:
        """The inverse of `parse`."""
        owned = "".join(f"{session} {owner}\n" for session, owner in sorted(self.owners.items()))
        return {
            SIGNED_OUT: write_ended(sorted(self.until.items(), key=lambda pair: pair[1])),
            SIGNED_OUT_BY: owned,
        }

    def _check_room(self, owner: str) -> None:
        if sum(each == owner for each in self.owners.values()) >= MAX_SESSIONS_OF_ONE:
            raise SignOutRefused(
                f"{MAX_SESSIONS_OF_ONE} tokens of this subject are signed out and have not expired "
                "yet, which is the most"
            )
        if len(self.until) >= MAX_SESSIONS:
            raise SignOutRefused("the list of tokens that were signed out is full")
