"""The validity of a presigned URL is read from its query."""

import datetime

import pytest

from roadstead.source.validity import Validity, parse_validity

NOON = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
ONE = NOON + datetime.timedelta(hours=1)
EPOCH = int(ONE.timestamp())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("X-Amz-Date=20261130T120000Z&X-Amz-Expires=3600", (NOON, ONE), id="s3-v4"),
        pytest.param("X-Goog-Date=20261130T120000Z&X-Goog-Expires=3600", (NOON, ONE), id="google"),
        pytest.param(f"AWSAccessKeyId=a&Expires={EPOCH}", (None, ONE), id="s3-v2"),
        pytest.param(
            "st=2026-11-30T12:00:00Z&se=2026-11-30T13%3A00%3A00Z&sig=x", (NOON, ONE), id="azure"
        ),
    ],
)
def test_supported_signatures(
    query: str, expected: tuple[datetime.datetime | None, datetime.datetime]
) -> None:
    assert parse_validity(f"/model.gguf?{query}") == Validity(start=expected[0], end=expected[1])


@pytest.mark.parametrize(
    "query",
    [
        "",
        "X-Amz-Date=yesterday&X-Amz-Expires=3600",
        "X-Amz-Date=20261130T120000Z&X-Amz-Expires=x",
        f"Expires={'9' * 400}",
        "Expires=99999999999999999999",
        "se=soon&sig=x",
        "a=1&" * 100_000,
    ],
)
def test_other_queries_have_no_validity(query: str) -> None:
    assert parse_validity(f"/model.gguf?{query}") is None


def test_url_expires_at_its_end_and_is_not_valid_before_its_start() -> None:
    found = Validity(start=NOON, end=ONE)
    assert found.is_expired(ONE)
    assert not found.is_expired(NOON)
    assert found.is_not_yet_valid(NOON - datetime.timedelta(seconds=1))
    assert not found.is_not_yet_valid(NOON)
