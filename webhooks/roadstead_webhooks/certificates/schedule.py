"""The schedule of the webhooks' certificates: which step is due (pure).

An authority is replaced in three steps, so that API servers can always verify the serving
certificate: the new authority is published beside the old one, then it issues the serving
certificate, then the old one is removed. The certificates themselves show which step is next.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Mapping, Sequence
from typing import Final

from roadstead.errors import InvalidKey
from roadstead_webhooks.certificates.authority import Pair, issue, new_authority

_CA, _CA_KEY, _PREVIOUS = "ca.crt", "ca.key", "previous-ca.crt"
_SERVING, _SERVING_KEY = "tls.crt", "tls.key"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """Lifetimes and delays."""

    authority: datetime.timedelta = datetime.timedelta(days=730)
    serving: datetime.timedelta = datetime.timedelta(days=90)
    settle: datetime.timedelta = datetime.timedelta(minutes=5)
    """From the publication of a new authority to its first certificate."""
    forget: datetime.timedelta = datetime.timedelta(hours=1)
    """From the first certificate of a new authority to the removal of the old one."""


SCHEDULE: Final = Schedule()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stored:
    """The content of the Secret; `previous` is the PEM of the previous authority, or empty."""

    authority: Pair
    serving: Pair
    previous: bytes = b""

    @classmethod
    def parse(cls, data: Mapping[str, bytes]) -> Stored:
        """Parse a Secret's data; raises InvalidKey."""
        try:
            return cls(
                authority=Pair.parse(data[_CA], data[_CA_KEY]),
                serving=Pair.parse(data[_SERVING], data[_SERVING_KEY]),
                previous=data.get(_PREVIOUS, b""),
            )
        except KeyError as error:
            raise InvalidKey(f"the Secret of the certificates has no {error}") from None

    @classmethod
    def find(cls, data: Mapping[str, bytes]) -> Stored | None:
        """Parse a Secret's data; None if it is empty or invalid, and has to be created again."""
        try:
            return cls.parse(data)
        except InvalidKey:
            return None

    def data(self) -> dict[str, bytes]:
        """Return the Secret's data, the inverse of `parse`."""
        return {
            _CA: self.authority.certificate_pem,
            _CA_KEY: self.authority.key_pem,
            _PREVIOUS: self.previous,
            **self.served(),
        }

    def served(self) -> dict[str, bytes]:
        """Return the files that the server loads."""
        return {_SERVING: self.serving.certificate_pem, _SERVING_KEY: self.serving.key_pem}

    @property
    def bundle(self) -> bytes:
        """The authorities of all certificates that a replica may serve, as PEM."""
        return self.authority.certificate_pem + self.previous


class Due(enum.Enum):
    """The next step."""

    NOTHING = "nothing"
    ALL = "all"
    """The stored data is missing or unusable."""
    AUTHORITY = "authority"
    SERVING = "serving"
    FORGET = "forget"
    """No certificate of the previous authority is in use any more."""


def find_due(
    stored: Stored | None,
    names: Sequence[str],
    now: datetime.datetime,
    schedule: Schedule = SCHEDULE,
) -> Due:
    """Return the step that is due at `now`."""
    if stored is None or stored.authority.expires_at <= now:
        return Due.ALL
    authority, serving = stored.authority, stored.serving
    current = authority.has_issued(serving)
    unusable = serving.expires_at <= now or set(serving.names()) != set(names)
    if unusable or (not current and not stored.previous):
        return Due.SERVING
    if not current:
        settled = now - authority.issued_at >= schedule.settle
        return Due.SERVING if settled else Due.NOTHING
    if stored.previous and now - serving.issued_at >= schedule.forget:
        return Due.FORGET
    if not stored.previous and _is_two_thirds_over(authority, now):
        return Due.AUTHORITY
    return Due.SERVING if _is_two_thirds_over(serving, now) else Due.NOTHING


def apply_due(
    stored: Stored | None,
    names: Sequence[str],
    now: datetime.datetime,
    schedule: Schedule = SCHEDULE,
) -> Stored:
    """Return what to store at `now`; the same object if nothing is due."""
    due = find_due(stored, names, now, schedule)
    if stored is None or due is Due.ALL:
        authority = new_authority(now, schedule.authority)
        return Stored(authority=authority, serving=issue(authority, names, now, schedule.serving))
    if due is Due.AUTHORITY:
        return dataclasses.replace(
            stored,
            authority=new_authority(now, schedule.authority),
            previous=stored.authority.certificate_pem,
        )
    if due is Due.SERVING:
        serving = issue(stored.authority, names, now, schedule.serving)
        return dataclasses.replace(stored, serving=serving)
    if due is Due.FORGET:
        return dataclasses.replace(stored, previous=b"")
    return stored


def _is_two_thirds_over(pair: Pair, now: datetime.datetime) -> bool:
    return now >= pair.issued_at + (pair.expires_at - pair.issued_at) * 2 / 3
