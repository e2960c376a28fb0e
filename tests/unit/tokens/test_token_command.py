"""The command `roadstead token`."""

from __future__ import annotations

import datetime
import io
import time
from pathlib import Path

import jwt
import pytest

from roadstead import tokens
from roadstead.__main__ import main
from roadstead.settings import duration
from roadstead.tokens.inspection import inspect
from tests.support.builders.tokens import NOW, SECRET, claims, key_of, pem, private_key, signed
from tests.unit.tokens.test_receipts import receipt


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    """Write a secret with the line end of `echo`."""
    path = tmp_path / "secret"
    path.write_bytes(SECRET + b"\n")
    return path


def issued(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the standard output of `token issue`, whose standard error must be empty."""
    assert main(["token", "issue", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_only_the_token_is_printed(capsys: pytest.CaptureFixture[str], secret_file: Path) -> None:
    arguments = ["--subject", "alice", "--group", "a", "--group", "b", "--scope", "s"]
    out = issued(capsys, *arguments, "--ttl", "90s", "--secret-file", str(secret_file))
    assert out.count("\n") == 1
    verified = tokens.verify(
        out.strip(),
        SECRET,
        audience="roadstead",
        issuer="roadstead",
        now=datetime.datetime.now(datetime.UTC),
        max_lifetime=datetime.timedelta(seconds=90),
    )
    assert (verified.subject, sorted(verified.groups), sorted(verified.scopes)) == (
        "alice",
        ["a", "b"],
        ["s"],
    )
    assert verified.expires_at - verified.issued_at == 90


def test_each_token_has_its_own_id(capsys: pytest.CaptureFixture[str], secret_file: Path) -> None:
    arguments = ["--subject", "alice", "--secret-file", str(secret_file)]
    ids = {
        jwt.decode(issued(capsys, *arguments).strip(), options={"verify_signature": False})["jti"]
        for _ in range(2)
    }
    assert len(ids) == 2


def test_short_secret_is_refused_and_not_quoted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    path.write_text("hunter2")
    assert main(["token", "issue", "--subject", "alice", "--secret-file", str(path)]) == 2
    out, err = capsys.readouterr()
    assert (out, "hunter2" in err, "32" in err) == ("", False, True)


@pytest.mark.parametrize("subject", ["", " alice", "a\nb"])
def test_token_with_an_invalid_subject_is_not_issued(
    capsys: pytest.CaptureFixture[str], secret_file: Path, subject: str
) -> None:
    arguments = ["token", "issue", "--subject", subject, "--secret-file", str(secret_file)]
    assert main(arguments) == 2
    assert capsys.readouterr().out == ""


def test_secret_is_required(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert main(["token", "issue", "--subject", "alice"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "none" in err


def test_inspect_reads_standard_input_and_verifies(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, secret_file: Path
) -> None:
    now = int(time.time())
    token = signed(claims(iat=now, exp=now + 60), private=SECRET)
    monkeypatch.setattr("sys.stdin", io.StringIO(token + "\n"))
    assert main(["token", "inspect", "--secret-file", str(secret_file)]) == 0
    out = capsys.readouterr().out
    assert '"sub": "alice"' in out
    assert "verified with HS256" in out


def test_inspect_reports_an_invalid_signature(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(private_key("ES256", "second")))
    now = int(time.time())
    token = signed(claims(iat=now, exp=now + 60), algorithm="ES256")
    assert main(["token", "inspect", token, "--public-key-file", str(path)]) == 1
    assert "NOT VALID" in capsys.readouterr().out


def test_malformed_token_is_not_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "inspect", "hunter2"]) == 2
    out, err = capsys.readouterr()
    assert "hunter2" not in out + err


def test_inspect_shows_that_a_token_has_expired() -> None:
    inspection = inspect(signed(claims()), now=NOW + 600, keys=[key_of(private_key("HS256"))])
    assert not inspection.is_valid
    assert "expires: 2027-01-15T08:09:00Z, 0:01:00 ago (EXPIRED)" in inspection.text


def test_inspect_without_a_key_does_not_check_the_signature() -> None:
    inspection = inspect(signed(claims()), now=NOW)
    assert inspection.is_valid
    assert "not checked" in inspection.text


def test_inspect_shows_a_receipt() -> None:
    assert '"generate_name"' in inspect(receipt(), now=NOW).text


def test_untrusted_text_does_not_control_the_terminal() -> None:
    text = inspect(signed(claims(sub="\x1b[2J\u202e", exp=10**30)), now=NOW).text
    assert text.isascii()
    assert "\x1b" not in text
    assert "expires: out of range" in text


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1d", 86_400)]
)
def test_valid_durations(text: str, seconds: int) -> None:
    assert duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "0s", "10", "m", "-1m", "1.5h", "30m1h", "10 m", "9" * 30])
def test_invalid_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        duration(text)
