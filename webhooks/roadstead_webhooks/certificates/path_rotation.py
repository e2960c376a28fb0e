"""Rotation of the secrets in the webhooks' paths (pure).

If a webhook can't be called, the API server's error to the sender of the object has the webhook's
URL. So a secret is used for minutes only, and for less once it may have been exposed.
"""

from __future__ import annotations

import dataclasses
import datetime
import secrets
from collections.abc import Mapping
from typing import Final

from roadstead_webhooks.admission.callers import ReviewPaths


@dataclasses.dataclass(frozen=True, kw_only=True)
class PathSchedule:
    """Lifetimes and delays."""

    lifetime: datetime.timedelta = datetime.timedelta(minutes=10)
    """How long a secret is in use."""
    announced: datetime.timedelta = datetime.timedelta(seconds=30)
    """How long every replica has to read a secret before the API server uses it."""
    kept: datetime.timedelta = datetime.timedelta(seconds=60)
    """How long the previous secret is still accepted, for requests in flight, and since API servers
    receive the new one by a watch. No secret is in use for less."""


PATH_SCHEDULE: Final = PathSchedule()


def rotate(
    files: Mapping[str, bytes],
    now: datetime.datetime,
    *,
    exposed: datetime.datetime,
    schedule: PathSchedule = PATH_SCHEDULE,
) -> dict[str, bytes]:
    """Return the files at `now`: the given files, and a new secret if the newest is too old.

    `exposed` is when a secret may last have been exposed: the one in use then is replaced.
    """
    seconds = int(now.timestamp())
    known = ReviewPaths.parse(files).secrets
    if not known:
        return _with_new({}, seconds)
    newest = known[-1][0]
    was_exposed = (
        newest <= exposed.timestamp() and seconds - newest >= schedule.kept.total_seconds()
    )
    if not was_exposed and seconds - newest < schedule.lifetime.total_seconds():
        return dict(files)
    return _with_new(files, seconds + int(schedule.announced.total_seconds()))


def current_secret(files: Mapping[str, bytes], now: datetime.datetime) -> str:
    """Return the secret for the API server: the newest active one, else the first."""
    known = ReviewPaths.parse(files).secrets
    active = [secret for activation, secret in known if activation <= now.timestamp()]
    return active[-1] if active else known[0][1]


def prune(
    files: Mapping[str, bytes],
    now: datetime.datetime,
    *,
    schedule: PathSchedule = PATH_SCHEDULE,
) -> dict[str, bytes]:
    """Return the files without secrets whose successor has been in use for long enough.

    Call it only while the configurations have the current secret.
    """
    known = ReviewPaths.parse(files).secrets
    settled = [at for at, _ in known if at <= (now - schedule.kept).timestamp()]
    oldest = settled[-1] if settled else 0
    return {str(at): secret.encode() for at, secret in known if at >= oldest}


def _with_new(files: Mapping[str, bytes], activation: int) -> dict[str, bytes]:
    return {**files, str(activation): secrets.token_hex(32).encode()}
