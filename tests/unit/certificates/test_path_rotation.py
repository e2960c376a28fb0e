"""Rotation of the secrets in the webhooks' paths."""

from __future__ import annotations

import datetime

from roadstead_webhooks.certificates.path_rotation import (
    PATH_SCHEDULE,
    current_secret,
    prune,
    rotate,
)

LIFETIME, ANNOUNCED, KEPT = (
    PATH_SCHEDULE.lifetime,
    PATH_SCHEDULE.announced,
    PATH_SCHEDULE.kept,
)
START = datetime.datetime(2027, 1, 15, 8, 0, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
LONG_AGO = START - datetime.timedelta(days=1)


def after(
    seconds: float, *, exposed: datetime.datetime = LONG_AGO, files: dict[str, bytes] | None = None
) -> dict[str, bytes]:
    """Return the files some seconds after the first secret was created."""
    first = files or rotate({}, START, exposed=LONG_AGO)
    return rotate(first, START + seconds * SECOND, exposed=exposed)


def test_first_secret_is_used_immediately() -> None:
    files = after(0)
    assert list(files.values()) == [current_secret(files, START).encode()]


def test_no_two_secrets_are_the_same() -> None:
    assert after(0) != after(0)


def test_secret_is_used_for_minutes_only() -> None:
    assert len(after(LIFETIME.total_seconds() - 1)) == 1
    assert len(after(LIFETIME.total_seconds())) == 2


def test_exposed_secret_is_replaced_early() -> None:
    shown = START + KEPT
    assert len(after(KEPT.total_seconds(), exposed=shown)) == 2


def test_secret_is_used_for_a_minimum_time() -> None:
    shown = START + SECOND
    assert len(after(2, exposed=shown)) == 1
    assert len(after(KEPT.total_seconds(), exposed=shown)) == 2


def test_new_secret_is_announced_before_it_is_used() -> None:
    at = START + LIFETIME
    files = rotate(after(0), at, exposed=LONG_AGO)
    before = current_secret(files, at)
    assert current_secret(files, at + ANNOUNCED - SECOND) == before
    assert current_secret(files, at + ANNOUNCED) != before


def test_secret_exposed_during_the_announcement_of_its_successor_gets_no_other() -> None:
    at = START + LIFETIME
    files = rotate(after(0), at, exposed=LONG_AGO)
    shown = at + ANNOUNCED / 2
    assert rotate(files, at + ANNOUNCED + KEPT, exposed=shown) == files


def test_old_secret_is_accepted_until_its_successor_has_settled() -> None:
    at = START + LIFETIME
    files = rotate(after(0), at, exposed=LONG_AGO)
    assert prune(files, at + ANNOUNCED + KEPT - SECOND) == files
    left = prune(files, at + ANNOUNCED + KEPT)
    assert [each.decode() for each in left.values()] == [current_secret(files, at + ANNOUNCED)]


def test_last_secret_is_never_removed() -> None:
    files = after(0)
    assert prune(files, START + 10 * LIFETIME) == files


def test_invalid_secret_is_replaced() -> None:
    for wrong in ({"0": b"short"}, {"name": b"a" * 64}, {"0": b"\xff" * 64}, {"0": b""}):
        assert set(rotate(wrong, START, exposed=LONG_AGO)) == {str(int(START.timestamp()))}
