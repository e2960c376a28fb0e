"""The ledger's DSN: what is kept of it, and what is said of one that can't be kept."""

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.errors import LedgerError
from roadstead.ledger.dsn import Dsn, parse_dsn

ADDRESS = "postgresql://roadstead_writer:pa55word@db.example.com:5432/roadstead"


def refusal(text: str) -> str:
    with pytest.raises(LedgerError) as refused:
        parse_dsn(text)
    assert refused.value.reason == "DsnInvalid"
    return str(refused.value)


def context(query: str, folder: Path = Path("/")) -> ssl.SSLContext:
    found = parse_dsn(f"{ADDRESS}?{query}").tls.context(folder)
    assert isinstance(found, ssl.SSLContext)
    return found


def test_a_plain_dsn_is_asked_for_as_it_is() -> None:
    found = parse_dsn(ADDRESS)
    assert found.url == ADDRESS
    assert found.tls.context(Path("/")) == "prefer"
    assert found.settings == {"application_name": "roadstead", "timezone": "UTC"}
    assert found.connect_seconds is None


def test_what_the_driver_reads_itself_stays_in_the_url() -> None:
    query = "target_session_attrs=read-write&sslmode=require"
    found = parse_dsn(f"postgresql://u:p@one:5432,two:5433/roadstead?{query}")
    assert found.url == (
        "postgresql://u:p@one:5432,two:5433/roadstead?target_session_attrs=read-write"
    )


def test_settings_of_the_session_are_kept() -> None:
    found = parse_dsn(f"{ADDRESS}?application_name=mine&options=-c%20search_path%3Dx")
    assert found.settings["application_name"] == "mine"
    assert found.settings["options"] == "-c search_path=x"


@pytest.mark.parametrize(("text", "seconds"), [("0", None), ("1", 2.0), ("7", 7.0)])
def test_a_connection_may_take_what_libpq_would_wait(text: str, seconds: float | None) -> None:
    assert parse_dsn(f"{ADDRESS}?connect_timeout={text}").connect_seconds == seconds


@pytest.mark.parametrize("query", ["channel_binding=prefer", "gssencmode=disable", "keepalives=1"])
def test_a_parameter_that_changes_nothing_is_left_out(query: str) -> None:
    assert parse_dsn(f"{ADDRESS}?{query}").url == ADDRESS


def test_a_full_verification_is_of_the_certificate_and_its_name() -> None:
    found = context("sslmode=verify-full")
    assert (found.verify_mode, found.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_an_authority_makes_of_require_what_libpq_makes_of_it(tmp_path: Path) -> None:
    assert context("sslmode=require").verify_mode is ssl.CERT_NONE
    tls = parse_dsn(f"{ADDRESS}?sslmode=require&sslrootcert=ca.crt").tls
    assert tls.mode == "verify-ca"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "ca.crt can't be read: No such file or directory", id="missing"),
        pytest.param("text", "ca.crt does not hold certificates in PEM form", id="something else"),
    ],
)
def test_a_file_that_is_no_authority_is_named(
    tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "ca.crt").write_text(content)
    with pytest.raises(LedgerError, match=said):
        context("sslmode=verify-full&sslrootcert=ca.crt", tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no URL"),
        ("host=db.example.com user=roadstead", "libpq's form of keywords"),
        ("jdbc:postgresql://db.example.com/roadstead", "is one for Java"),
        ("postgresql://u:pa@55/word@db.example.com/roadstead", "%40 %3A %2F"),
        ("postgresql://u:pa#55word@db.example.com/roadstead", "%40 %3A %2F"),
        ("postgresql://u:pa?55word@db.example.com/roadstead", "%40 %3A %2F"),
        ("postgresql://u:pa@55word@db.example.com/roadstead", "%40 %3A %2F"),
        (f"{ADDRESS}?sslmode=full", "sslmode is none of disable, allow, prefer, require"),
        (f"{ADDRESS}?sslrootcert=ca.crt", "sslrootcert has no effect with sslmode=prefer"),
        (f"{ADDRESS}?sslmode=require&sslrootcert=system", "write sslmode=verify-full"),
        (f"{ADDRESS}?ssl_min_protocol_version=TLSv1", "neither TLSv1.2 nor TLSv1.3"),
        (
            f"{ADDRESS}?channel_binding=require",
            "channel_binding is not supported: write sslmode=verify-full instead",
        ),
        (f"{ADDRESS}?service=x", "service is not supported: write what"),
        (f"{ADDRESS}?keepalives_idle=5", "keepalives_idle is not supported: leave it out"),
        (f"{ADDRESS}?statement_timeout=5", "none of libpq's"),
        (f"{ADDRESS}?connect_timeout=soon", "no number of seconds"),
    ],
)
def test_what_can_not_be_kept_is_refused_with_what_to_write(text: str, said: str) -> None:
    assert said in refusal(text)


def test_a_dsn_does_not_show_its_password() -> None:
    assert "pa55word" not in repr(parse_dsn(ADDRESS))


@given(st.text(max_size=80), st.sampled_from(["", "postgresql://", f"{ADDRESS}?", f"{ADDRESS}&"]))
def test_any_text_is_a_dsn_or_refused_without_being_quoted(text: str, before: str) -> None:
    found: Dsn | LedgerError
    try:
        found = parse_dsn(f"{before}{text}")
    except LedgerError as error:
        found = error
    assert "pa55word" not in f"{found} {found!r}"
