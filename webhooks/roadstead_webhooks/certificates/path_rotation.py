"""Secret parts of the webhooks' paths: what the Secret is to hold at a given time (pure).

The API server quotes the address of a webhook to whoever sent an object that it could not ask
about. So a secret is in use for minutes only, and for less once it may have been quoted.
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
    """How long things last."""

    lifetime: datetime.timedelta = datetime.timedelta(minutes=10)
    """How long a secret is in use."""
    announced: datetime.timedelta = datetime.timedelta(seconds=30)
    """How long every replica has to learn of a secret before the API server uses it."""
    kept: datetime.timedelta = datetime.timedelta(seconds=60)
    """How long the one before is still taken, for requests are under way, and API servers learn of
    it by a watch. No secret is in use for less."""


PATH_SCHEDULE: Final = PathSchedule()


def rotated(
    files: Mapping[str, bytes],
    now: datetime.datetime,
    *,
    exposed: datetime.datetime,
    schedule: PathSchedule = PATH_SCHEDULE,
) -> dict[str, bytes]:
    """The files at `now`: those that are there, and one more where the newest has had its time.

    `exposed` is when a secret was last shown, perhaps: the one that was in use then is replaced.
    """
    seconds = int(now.timestamp())
    known = ReviewPaths.parse(files).secrets
    if not known:
        return _with_new({}, seconds)
    newest = known[-1][0]
    shown = newest <= exposed.timestamp() and seconds - newest >= schedule.kept.total_seconds()
    if not shown and seconds - newest < schedule.lifetime.total_seconds():
        return dict(files)
    return _with_new(files, seconds + int(schedule.announced.total_seconds()))


def current(files: Mapping[str, bytes], now: datetime.datetime) -> str:
    """The secret that the API server is to use: the newest whose time has come, else the first."""
    known = ReviewPaths.parse(files).secrets
    active = [secret for activation, secret in known if activation <= now.timestamp()]
    return active[-1] if active else known[0][1]


def pruned(
    files: Mapping[str, bytes],
    now: datetime.datetime,
    *,
    schedule: PathSchedule = PATH_SCHEDULE,
) -> dict[str, bytes]:
    """Without those whose successor has been in use for long enough.

    To be asked only while the configurations name the current one.
    """
    known = ReviewPaths.parse(files).secrets
    settled = [at for at, _ in known if at <= (now - schedule.kept).timestamp()]
    oldest = settled[-1] if settled else 0
    return {str(at): secret.encode() for at, secret in known if at >= oldest}


def _with_new(files: Mapping[str, bytes], activation: int) -> dict[str, bytes]:
    return {**files, str(activation): secrets.token_hex(32).encode()}
