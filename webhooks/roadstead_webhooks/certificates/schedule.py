"""What is due now: pure decisions over the certificates that there are.

A change of authority takes three steps, so that no API server meets a certificate that it can't
check: the new authority is made known beside the old one, then the serving certificate is issued
by it, then the old one is forgotten. How far it has come is read from the certificates.
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
    """How long things last."""

    authority: datetime.timedelta = datetime.timedelta(days=730)
    serving: datetime.timedelta = datetime.timedelta(days=90)
    settle: datetime.timedelta = datetime.timedelta(minutes=5)
    """From a new authority's being made known to the first certificate of it."""
    forget: datetime.timedelta = datetime.timedelta(hours=1)
    """From the first certificate of a new authority to the end of the old one."""


SCHEDULE: Final = Schedule()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stored:
    """What the Secret holds; `previous` is the PEM of the authority before, empty without one."""

    authority: Pair
    serving: Pair
    previous: bytes = b""

    @classmethod
    def parse(cls, data: Mapping[str, bytes]) -> Stored | None:
        """Of a Secret's data; None where it is empty or can't be used, and all is made anew."""
        try:
            return cls(
                authority=Pair.parse(data[_CA], data[_CA_KEY]),
                serving=Pair.parse(data[_SERVING], data[_SERVING_KEY]),
                previous=data.get(_PREVIOUS, b""),
            )
        except (KeyError, InvalidKey):
            return None

    def data(self) -> dict[str, bytes]:
        """The inverse of `parse`."""
        return {
            _CA: self.authority.certificate_pem,
            _CA_KEY: self.authority.key_pem,
            _PREVIOUS: self.previous,
            **self.served(),
        }

    def served(self) -> dict[str, bytes]:
        """The files that the server loads."""
        return {_SERVING: self.serving.certificate_pem, _SERVING_KEY: self.serving.key_pem}

    @property
    def bundle(self) -> bytes:
        """All that vouch for a certificate that some replica may serve, as PEM."""
        return self.authority.certificate_pem + self.previous


class Due(enum.Enum):
    """The next step."""

    NOTHING = "nothing"
    ALL = "all"
    """Nothing that is there can be used."""
    AUTHORITY = "authority"
    SERVING = "serving"
    FORGET = "forget"
    """The previous authority has no certificate in use any more."""


def due(
    stored: Stored | None,
    names: Sequence[str],
    now: datetime.datetime,
    schedule: Schedule = SCHEDULE,
) -> Due:
    """What is to be done at `now`."""
    if stored is None or stored.authority.ends_at <= now:
        return Due.ALL
    authority, serving = stored.authority, stored.serving
    ours = authority.issued(serving)
    unusable = serving.ends_at <= now or set(serving.names()) != set(names)
    if unusable or (not ours and not stored.previous):
        return Due.SERVING
    if not ours:
        settled = now - authority.made_at >= schedule.settle
        return Due.SERVING if settled else Due.NOTHING
    if stored.previous and now - serving.made_at >= schedule.forget:
        return Due.FORGET
    if not stored.previous and _two_thirds_over(authority, now):
        return Due.AUTHORITY
    return Due.SERVING if _two_thirds_over(serving, now) else Due.NOTHING


def step(
    stored: Stored | None,
    names: Sequence[str],
    now: datetime.datetime,
    schedule: Schedule = SCHEDULE,
) -> Stored:
    """What is to be stored at `now`: the same object where nothing is due."""
    what = due(stored, names, now, schedule)
    if stored is None or what is Due.ALL:
        authority = new_authority(now, schedule.authority)
        return Stored(authority=authority, serving=issue(authority, names, now, schedule.serving))
    if what is Due.AUTHORITY:
        return dataclasses.replace(
            stored,
            authority=new_authority(now, schedule.authority),
            previous=stored.authority.certificate_pem,
        )
    if what is Due.SERVING:
        serving = issue(stored.authority, names, now, schedule.serving)
        return dataclasses.replace(stored, serving=serving)
    if what is Due.FORGET:
        return dataclasses.replace(stored, previous=b"")
    return stored


def _two_thirds_over(pair: Pair, now: datetime.datetime) -> bool:
    return now >= pair.made_at + (pair.ends_at - pair.made_at) * 2 / 3
