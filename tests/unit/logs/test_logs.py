"""Log lines: objects, and redaction of secrets."""

import base64
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead import logs

PARTS = st.binary(min_size=8, max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
NAMES = st.sampled_from(["X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token"])
JOINTS = st.sampled_from(["?", "&", "\\u0026", "%26", "&amp;"])


@given(before=st.text(max_size=20), payload=PARTS, signature=PARTS)
def test_jwt_is_redacted(before: str, payload: str, signature: str) -> None:
    header = "eyJhbGciOiJIUzI1NiJ9"
    payload, signature = payload.strip("="), signature.strip("=")
    text = logs.redacted(f"{before}{header}.{payload}.{signature} refused")
    assert f"{payload}.{signature}" not in text


@given(joint=JOINTS, name=NAMES, secret=st.text("0123456789abcdef", min_size=16, max_size=64))
def test_presigned_query_is_redacted(joint: str, name: str, secret: str) -> None:
    text = logs.redacted(f"GET http://minio/models/a.gguf{joint}{name}={secret} failed")
    assert secret not in text
    assert "http://minio/models/a.gguf" in text


def test_bearer_token_is_redacted() -> None:
    assert "abcdefgh12" not in logs.redacted("Authorization: Bearer abcdefgh12")


@pytest.fixture
def configured() -> object:
    """Restores pytest's handlers of the root logger."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("configured")
def test_each_line_has_its_object(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json", level="info", subject="model/gemma")
    log = logging.getLogger("roadstead.test")
    log.info("without")
    with logs.about("modelserve/demo/gemma"):
        log.info("within")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["object"] for line in lines] == ["model/gemma", "modelserve/demo/gemma"]


@pytest.mark.usefixtures("configured")
def test_traceback_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json", level="info")
    try:
        raise ValueError("http://minio/a?X-Amz-Signature=0123456789abcdef")
    except ValueError:
        logging.getLogger("roadstead.test").exception("it failed")
    assert "0123456789abcdef" not in capsys.readouterr().err


def test_long_text_is_cut_before_the_search() -> None:
    text = logs.redacted("eyJ" * 700_000)
    assert text.endswith("... (2095904 more characters)")
    assert len(text) < logs.MAX_TEXT + 40


@given(before=st.integers(0, logs.MAX_TEXT), payload=PARTS)
def test_secret_at_the_cut_is_redacted(before: int, payload: str) -> None:
    jwt = f"eyJhbGciOiJIUzI1NiJ9.eyJ{payload.strip('=')}.signature"
    text = logs.redacted(" " * before + jwt)
    assert f"eyJ{payload[:4]}" not in text


@pytest.mark.usefixtures("configured")
def test_object_of_a_line_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json", level="info")
    with logs.about(f"modelserve/demo/eyJhbGciOiJIUzI1NiJ9.{'a' * 20}.{'b' * 20}"):
        logging.getLogger("roadstead.test").info("denied")
    assert "a" * 20 not in capsys.readouterr().err
