"""URLs that users configure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.errors import SourceError
from roadstead.source.dial import Target


def test_query_is_sent_verbatim() -> None:
    url = "https://s3.example.com/b/k%2F1?X-Amz-Credential=AKIA%2F2026&a=%20+b"
    assert Target.parse(url).resource == "/b/k%2F1?X-Amz-Credential=AKIA%2F2026&a=%20+b"


def test_text_of_a_target_has_no_query() -> None:
    assert str(Target.parse("http://h:9000/b/k?secret")) == "http://h:9000/b/k"


def test_ipv6_host_is_written_in_brackets() -> None:
    assert Target.parse("http://[::1]:9000/k").authority == "[::1]:9000"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http:///no-host",
        "http://user:secret@host/",
        "http://host:port/",
        "http://host/a b",
        "http://host/a\r\nX-Injected: 1",
        "http://[::1/",
        "http://hóst/",
    ],
)
def test_invalid_url_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        Target.parse(url)
    assert url not in str(caught.value)


@given(url=st.text(max_size=80))
def test_any_text_is_parsed_or_refused(url: str) -> None:
    try:
        Target.parse(url)
    except SourceError:
        return
