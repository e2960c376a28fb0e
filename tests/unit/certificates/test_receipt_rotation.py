"""Rotation of the keys of receipts."""

from __future__ import annotations

import datetime

import pytest

from roadstead.errors import InvalidKey
from roadstead_webhooks.admission.receipt_signing import ReceiptKeyring
from roadstead_webhooks.certificates.receipt_rotation import (
    ANNOUNCED,
    LIFETIME,
    public_keys,
    rotate,
)

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


def signing(files: dict[str, bytes], now: datetime.datetime) -> str:
    return ReceiptKeyring.parse(files).signing_key(int(now.timestamp())).key_id


def test_first_key_signs_immediately() -> None:
    files = rotate({}, START)
    assert signing(files, START) in public_keys(files)


def test_key_is_used_for_its_lifetime() -> None:
    files = rotate({}, START)
    assert rotate(files, START + LIFETIME - SECOND) == files


def test_new_key_is_published_before_it_signs() -> None:
    files = rotate({}, START)
    later = START + LIFETIME
    after = rotate(files, later)
    assert len(public_keys(after)) == 2
    assert signing(after, later) == signing(files, START)
    assert signing(after, later + ANNOUNCED) != signing(files, START)


def test_only_one_new_key_is_created() -> None:
    later = START + LIFETIME
    after = rotate(rotate({}, START), later)
    assert rotate(after, later + SECOND) == after


def test_old_key_is_kept() -> None:
    files = rotate({}, START)
    after = rotate(files, START + LIFETIME)
    assert files.items() <= after.items()


def test_invalid_key_raises_and_is_not_replaced() -> None:
    with pytest.raises(InvalidKey, match=r"1\.pem"):
        rotate({"1.pem": b"rubbish"}, START)
