"""The caller's request as the gateway describes it, and ambiguous paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from roadstead.forwardauth.forwarded import (
    BadQuestion,
    Forwarded,
    parse_server_uuid,
    read_forwarded,
)
from tests.unit.forwardauth.questions import OTHER, SERVER, Pairs


def read(uri: str, method: str = "GET") -> Forwarded:
    """Parse the gateway's request for SERVER."""
    headers = CIMultiDict([("X-Forwarded-Method", method), ("X-Forwarded-Uri", uri)])
    return read_forwarded(headers, SERVER)


def test_server_is_read_from_the_path_of_the_gateways_request() -> None:
    assert parse_server_uuid(f"/verify/{SERVER}") == SERVER


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/verify",
        "/verify/",
        f"/verify/{SERVER.upper()}",
        f"/verify/{SERVER}/",
        f"/verify/{SERVER}/{OTHER}",
        f"/verify/{SERVER}?x=1",
        f"/verify/{SERVER}#x",
        f"//verify/{SERVER}",
        f"/Verify/{SERVER}",
        f"/verify/{SERVER}%00",
        f"/verify/%33{SERVER[1:]}",
        f"/verify/../verify/{SERVER}",
        f"/verify/{SERVER[:-1]}",
        f"/verify/{SERVER}0",
        f"/verify/{SERVER.replace('-', '')}",
        f"/verify/{SERVER}\n",
        f"http://host/verify/{SERVER}",
        f"/verify/\uff13{SERVER[1:]}",
        "*",
        "",
    ],
)
def test_other_paths_have_no_server(path: str) -> None:
    assert parse_server_uuid(path) is None


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        (f"/{SERVER}", ""),
        (f"/{SERVER}/", "/"),
        (f"/{SERVER}/v1/chat/completions", "/v1/chat/completions"),
        (f"/{SERVER}/v1/models/gemma-3:270m", "/v1/models/gemma-3:270m"),
        (f"/{SERVER}/slots/0?action=save&file=..%2f..", "/slots/0"),
        (f"/{SERVER}/.well-known/...", "/.well-known/..."),
    ],
)
def test_path_begins_after_the_server_and_ends_before_the_query(uri: str, path: str) -> None:
    assert read(uri).path == path


@pytest.mark.parametrize(
    "path",
    [
        "//v1/models",
        "/v1//models",
        "/v1/../props",
        "/..",
        "/../" + OTHER,
        "/./v1",
        "/v1/.",
        "/%2e%2e/props",
        "/v1%2fmodels",
        "/v1%5cmodels",
        "/v1\\models",
        "/v1;a=b",
        "/v1%3bmodels",
        "/v1%00",
        "/v1%3fx",
        "/v1%23x",
        "/v1#x",
        "/v1 x",
        "/v1\tx",
        "/é",
        "/\udcff",
        "x",
        "%2f",
    ],
)
def test_ambiguous_path_is_rejected(path: str) -> None:
    with pytest.raises(BadQuestion, match="between single slashes"):
        read(f"/{SERVER}{path}")


@pytest.mark.parametrize(
    "uri",
    [f"/{OTHER}/v1", f"/{SERVER.upper()}/v1", "/", "", "*", f"https://h/{SERVER}", f"x/{SERVER}"],
)
def test_path_of_another_server_is_rejected(uri: str) -> None:
    with pytest.raises(BadQuestion):
        read(uri)


def test_long_path_is_rejected() -> None:
    with pytest.raises(BadQuestion, match="8192 bytes"):
        read(f"/{SERVER}/v1?{'x' * 8192}")


@pytest.mark.parametrize("method", ["", "get", "GET ", "G" * 17, "GET\n", "M-SEARCH"])
def test_invalid_method_is_rejected(method: str) -> None:
    with pytest.raises(BadQuestion, match="upper case"):
        read(f"/{SERVER}", method)


@pytest.mark.parametrize("name", ["X-Forwarded-Uri", "X-Forwarded-Method"])
def test_missing_or_repeated_header_is_rejected(name: str) -> None:
    every: Pairs = [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", f"/{SERVER}")]
    twice = every + [pair for pair in every if pair[0] == name]
    missing = [pair for pair in every if pair[0] != name]
    for headers in (twice, missing):
        with pytest.raises(BadQuestion):
            read_forwarded(CIMultiDict(headers), SERVER)


@given(st.text(alphabet="/.%\\;az09-?#", max_size=30))
def test_accepted_path_stays_below_the_server(path: str) -> None:
    try:
        found = read(f"/{SERVER}{path}").path
    except BadQuestion:
        return
    assert not {"", ".", ".."} & set(found.strip("/").split("/")) or found in ("", "/")
    assert not set(found) & set("%\\;?#")
