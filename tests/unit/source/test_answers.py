"""Error responses of a source are read as bounded text without the URL's query."""

import datetime
import http.client

import pytest

from roadstead.excerpts import MAX_CHARACTERS
from roadstead.source.source_responses import SourceAnswer

SIGNED = "/model.gguf?X-Amz-Credential=AKIAEXAMPLE%2F20261130&X-Amz-Signature=0badc0de0badc0de"
EXPIRED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Request has expired</Message>
<Expires>2026-11-30T11:00:00Z</Expires><ServerTime>2026-11-30T12:00:00Z</ServerTime></Error>"""


def answer(body: bytes = b"", **headers: str) -> SourceAnswer:
    """Return a response of status 403 with this body and these headers."""
    message = http.client.HTTPMessage()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return SourceAnswer.read(403, message, body, SIGNED)


def test_s3_error_has_code_message_and_server_time() -> None:
    found = answer(EXPIRED, Date="Sun, 29 Nov 2026 12:00:00 GMT")
    assert (found.code, found.message) == ("AccessDenied", "Request has expired")
    assert found.time == datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
    assert found.summary == "403 AccessDenied: Request has expired"


def test_server_time_defaults_to_the_date_header() -> None:
    found = answer(Date="Mon, 30 Nov 2026 12:00:00 GMT")
    assert found.time == datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)


def test_region_is_read_from_header_or_body() -> None:
    assert answer(x_amz_bucket_region="eu-west-1").region == "eu-west-1"
    assert answer(b"<Error><Region>eu-west-1</Region></Error>").region == "eu-west-1"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"message": "no such tenant"}'),
        ("application/json", b'{"error": {"message": "no such tenant"}}'),
        ("text/plain; charset=utf-8", b"no such\r\n  tenant\n"),
        ("text/html", b"<html><title>no such tenant</title><body>and more</body></html>"),
        ("application/xml", b"<Error><Message>no such&#32;tenant</Message></Error>"),
    ],
)
def test_message_is_read_from_json_text_html_and_xml(kind: str, body: bytes) -> None:
    assert answer(body, Content_Type=kind).message == "no such tenant"


@pytest.mark.parametrize("secret", ["0badc0de0badc0de", "AKIAEXAMPLE/20261130"])
def test_query_is_removed_from_a_message_that_repeats_it(secret: str) -> None:
    found = answer(f"<Message>bad signature {secret}</Message>".encode())
    assert found.message == "bad signature …"


@pytest.mark.parametrize(
    "before", ["x" * (MAX_CHARACTERS - 8), " " * (4 * MAX_CHARACTERS - 8), " " * 992]
)
def test_secret_at_the_point_of_truncation_is_not_shown_in_part(before: str) -> None:
    text = f"{before}0badc0de0badc0de"
    assert "0bad" not in answer(text.encode(), Content_Type="text/plain").message


def test_long_message_is_truncated() -> None:
    found = answer(b"<Message>" + b"long " * 150 + b"</Message>")
    assert len(found.message) == MAX_CHARACTERS


@pytest.mark.parametrize(
    "body",
    [
        b"<Code>" * 1_000_000,
        b"<Code>" + b"x" * 10_000_000,
        b"{" * 10_000_000,
        b'<!DOCTYPE a [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]><Code>&b;</Code>',
        bytes(range(256)) * 1000,
    ],
)
def test_text_of_hostile_bodies_is_printable(body: bytes) -> None:
    found = answer(body, Content_Type="application/json")
    assert found.message.isprintable()
    assert found.code.isprintable()
