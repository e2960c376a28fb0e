"""Parsing of the ledger's DSN, and the messages about invalid ones."""

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.authorities import SYSTEM_AUTHORITIES
from roadstead.errors import LedgerError
from roadstead.ledger.dsn import Dsn, parse_dsn

ADDRESS = "postgresql://roadstead_writer:pa55word@db.example.com:5432/roadstead"


def refusal(text: str) -> str:
    with pytest.raises(LedgerError) as refused:
        parse_dsn(text)
    assert refused.value.reason == "DsnInvalid"
    return str(refused.value)


def context(query: str, folder: Path = Path("/")) -> ssl.SSLContext:
    found = parse_dsn(f"{ADDRESS}?{query}").tls.context(folder, SYSTEM_AUTHORITIES)
    assert isinstance(found, ssl.SSLContext)
    return found


def test_plain_dsn_is_unchanged() -> None:
    found = parse_dsn(ADDRESS)
    assert found.url == ADDRESS
    assert found.tls.context(Path("/"), SYSTEM_AUTHORITIES) == "prefer"
    assert found.settings == {"application_name": "roadstead", "timezone": "UTC"}
    assert found.connect_seconds is None


def test_parameters_of_the_driver_stay_in_the_url() -> None:
    query = "target_session_attrs=read-write&sslmode=require"
    found = parse_dsn(f"postgresql://u:p@one:5432,two:5433/roadstead?{query}")
    assert found.url == (
        "postgresql://u:p@one:5432,two:5433/roadstead?target_session_attrs=read-write"
    )


def test_session_settings_are_kept() -> None:
    found = parse_dsn(f"{ADDRESS}?application_name=mine&options=-c%20search_path%3Dx")
    assert found.settings["application_name"] == "mine"
    assert found.settings["options"] == "-c search_path=x"


@pytest.mark.parametrize(("text", "seconds"), [("0", None), ("1", 2.0), ("7", 7.0)])
def test_connect_timeout_follows_libpq(text: str, seconds: float | None) -> None:
    assert parse_dsn(f"{ADDRESS}?connect_timeout={text}").connect_seconds == seconds


@pytest.mark.parametrize("query", ["channel_binding=prefer", "gssencmode=disable", "keepalives=1"])
def test_parameter_without_effect_is_dropped(query: str) -> None:
    assert parse_dsn(f"{ADDRESS}?{query}").url == ADDRESS


def test_verify_full_checks_certificate_and_host_name() -> None:
    found = context("sslmode=verify-full")
    assert (found.verify_mode, found.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_require_with_ca_file_becomes_verify_ca(tmp_path: Path) -> None:
    assert context("sslmode=require").verify_mode is ssl.CERT_NONE
    tls = parse_dsn(f"{ADDRESS}?sslmode=require&sslrootcert=ca.crt").tls
    assert tls.mode == "verify-ca"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "ca.crt can't be read: No such file or directory", id="missing"),
        pytest.param("text", "ca.crt contains no certificates; write PEM", id="something else"),
    ],
)
def test_invalid_ca_file_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "ca.crt").write_text(content)
    with pytest.raises(LedgerError, match=message):
        context("sslmode=verify-full&sslrootcert=ca.crt", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a URL"),
        ("host=db.example.com user=roadstead", "libpq's keyword/value format"),
        ("jdbc:postgresql://db.example.com/roadstead", "is a JDBC URL"),
        ("postgresql://u:pa@55/word@db.example.com/roadstead", "%40 %3A %2F"),
        ("postgresql://u:pa#55word@db.example.com/roadstead", "%40 %3A %2F"),
        ("postgresql://u:pa?55word@db.example.com/roadstead", "%40 %3A %2F"),
        ("postgresql://u:pa@55word@db.example.com/roadstead", "%40 %3A %2F"),
        (
            f"{ADDRESS}?sslmode=full",
            "sslmode is invalid: expected one of disable, allow, prefer, require",
        ),
        (f"{ADDRESS}?sslrootcert=ca.crt", "sslrootcert has no effect with sslmode=prefer"),
        (f"{ADDRESS}?sslmode=require&sslrootcert=system", "write sslmode=verify-full"),
        (f"{ADDRESS}?ssl_min_protocol_version=TLSv1", "expected TLSv1.2 or TLSv1.3"),
        (
            f"{ADDRESS}?channel_binding=require",
            "channel_binding is not supported: write sslmode=verify-full instead",
        ),
        (f"{ADDRESS}?service=x", "service is not supported: write the settings"),
        (f"{ADDRESS}?keepalives_idle=5", "keepalives_idle is not supported: remove it"),
        (f"{ADDRESS}?statement_timeout=5", "not a parameter of libpq"),
        (f"{ADDRESS}?connect_timeout=soon", "not a number of seconds"),
    ],
)
def test_invalid_dsn_is_refused_with_what_to_write(text: str, message: str) -> None:
    assert message in refusal(text)


def test_repr_does_not_contain_the_password() -> None:
    assert "pa55word" not in repr(parse_dsn(ADDRESS))


@given(st.text(max_size=80), st.sampled_from(["", "postgresql://", f"{ADDRESS}?", f"{ADDRESS}&"]))
def test_arbitrary_text_never_leaks_the_password(text: str, before: str) -> None:
    found: Dsn | LedgerError
    try:
        found = parse_dsn(f"{before}{text}")
    except LedgerError as error:
        found = error
    assert "pa55word" not in f"{found} {found!r}"
