"""The list of sessions that were signed out: bounded, without evicting entries."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final, Self

from roadstead.errors import SignOutRefused
from roadstead.tokens.claims import Claims
from roadstead.tokens.sessions import owner_id, read_ended, session_id, write_ended

SIGNED_OUT: Final = "signed-out"
"""The key of a ConfigMap's `data` with the sessions, which verifiers of tokens read."""
SIGNED_OUT_BY: Final = "signed-out-by"
"""The key with the owner of each session, to count sessions per owner."""
MAX_SESSIONS: Final = 8000
"""108 bytes each in both keys: the limit of a ConfigMap is 1 MiB."""
MAX_SESSIONS_OF_ONE: Final = 50
_SHORT: Final = 12
"""Hex digits of a session's id in SIGNED_OUT_BY."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EndedSessions:
    """Ended sessions whose tokens have not expired: `until` in seconds since 1970, by id.

    `owners` are ids of subjects by the first digits of a session's id; sessions that older
    versions wrote have no owner.
    """

    until: Mapping[str, int]
    owners: Mapping[str, str]

    @classmethod
    def parse(cls, data: Mapping[str, str], *, now: int) -> Self:
        """Parse a ConfigMap's `data` without sessions expired at `now` (seconds since 1970)."""
        every = read_ended(data.get(SIGNED_OUT, ""))
        until = {session: end for session, end in every.items() if end > now}
        known = {session[:_SHORT] for session in until}
        pairs = (line.split() for line in data.get(SIGNED_OUT_BY, "").splitlines())
        owners = {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[0] in known}
        return cls(until=until, owners=owners)

    def add(self, claims: Claims, *, until: int) -> EndedSessions:
        """Return a list with one more session; raises SignOutRefused if a limit is reached."""
        session, owner = session_id(claims), owner_id(claims)
        if session not in self.until:
            self._check_room(owner)
        return EndedSessions(
            until={**self.until, session: until},
            owners={**self.owners, session[:_SHORT]: owner},
        )

    def data(self) -> dict[str, str]:
        """Return the ConfigMap's `data` for `parse`."""
        owned = "".join(f"{session} {owner}\n" for session, owner in sorted(self.owners.items()))
        return {
            SIGNED_OUT: write_ended(sorted(self.until.items(), key=lambda pair: pair[1])),
            SIGNED_OUT_BY: owned,
        }

    def _check_room(self, owner: str) -> None:
        if sum(each == owner for each in self.owners.values()) >= MAX_SESSIONS_OF_ONE:
            raise SignOutRefused(
                f"{MAX_SESSIONS_OF_ONE} tokens of this subject are signed out and have not "
                "expired; no more are allowed"
            )
        if len(self.until) >= MAX_SESSIONS:
            raise SignOutRefused("the list of tokens that were signed out is full")
